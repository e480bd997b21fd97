"""Trying again what failed of another size and of a take-over: by the request that was made, with today's checks."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from billing.models import Plan
from billing.selectors import plan_chosen
from billing.services.adoption import adopt
from billing.services.resizing import guest_resize_by_owner
from hosts.models import Network
from panel.core.actors import Actor
from panel.core.errors import InvalidStateError
from panel.core.models import Customer, Job
from panel.core.permissions import Permission
from panel.core.retry import retryable
from vms.models import Difference, DifferenceKind, DifferenceState
from vms.services.actions import action_refusal
from vms.services.adoption import AdoptRequest
from vms.services.adoption_nics import NicRequest
from vms.services.hindrances import CLOSED, hindrances_by_guest
from vms.services.retry import guest_of_job
from vms.states import GuestAction

_NOT_KEPT = "This job has not kept what was asked for. Ask for it anew."
_CUSTOMER_GONE = "The customer has been deleted."


def connect() -> None:
    """Make failed jobs of another size, and of taking over, retryable."""
    retryable([GuestAction.RESIZE], resize_again, needs=Permission.GUEST_RESIZE, hindrances=resize_hindrances)
    retryable([GuestAction.ADOPT], adopt_again, needs=Permission.FLEET_MANAGE, hindrances=adopt_hindrances)


def resize_again(actor: Actor, job: Job) -> Job:
    """Ask for the same plan or size anew: the failed job gave back what it had taken.

    Raises:
        InvalidStateError: the guest is gone, or is not stopped.
        InvalidInputError, QuotaExceededError, CapacityError: as for the first request.
    """
    return guest_resize_by_owner(actor=actor, guest=guest_of_job(job), wanted=_asked(job))


def resize_hindrances(jobs: Sequence[Job]) -> dict[UUID, str]:
    """Return which changes of size are not known any more, or not possible while the server is as it is."""
    return hindrances_by_guest(jobs, lambda job, guest: _not_kept(job) or action_refusal(guest, GuestAction.RESIZE))


def adopt_again(actor: Actor, job: Job) -> Job:
    """Take the domain over as it was asked for, by what is found of it today.

    Raises:
        InvalidStateError: it is no difference any more, or the customer or a network is gone.
        InvalidInputError, QuotaExceededError, CapacityError: as for the first request.
    """
    asked, plan = _asked(job), _plan(actor, job)
    difference = _found().filter(object_id=_domain_id(job)).first()
    customer = job.customer
    if difference is None:
        raise InvalidStateError(CLOSED)
    if customer is None or customer.deleted_at is not None:
        raise InvalidStateError(_CUSTOMER_GONE)
    request = AdoptRequest(
        customer=customer,
        name=asked["name"],
        nics=tuple(_nic(nic) for nic in asked["nics"]),
        plan_slug=plan.slug if plan else "",
        over_limit=asked["over_limit"],
        accept_host_root=asked.get("accept_host_root", False),
        params={"plan": str(plan.pk) if plan else None},
    )
    return adopt(actor=actor, difference=difference, request=request, plan=plan)[1]


def adopt_hindrances(jobs: Sequence[Job]) -> dict[UUID, str]:
    """Return which take-overs are not known any more, or whose domain or customer is not there; two queries."""
    there = set(_found().filter(object_id__in=[_domain_id(job) for job in jobs]).values_list("object_id", flat=True))
    wanted = [job.customer_id for job in jobs if job.customer_id]
    customers = set(Customer.objects.filter(pk__in=wanted, deleted_at=None).values_list("pk", flat=True))
    found = {}
    for job in jobs:
        closed = "" if _domain_id(job) in there else CLOSED
        found[job.pk] = _not_kept(job) or closed or ("" if job.customer_id in customers else _CUSTOMER_GONE)
    return {pk: why for pk, why in found.items() if why}


def _found() -> QuerySet[Difference]:
    domains = Difference.objects.filter(kind=DifferenceKind.DOMAIN_WITHOUT_GUEST)
    return domains.exclude(state=DifferenceState.CLOSED)


def _domain_id(job: Job) -> UUID | None:
    return next((one.resource_id for one in job.resources.all() if one.type == "guest"), None)


def _not_kept(job: Job) -> str:
    return _NOT_KEPT if job.params.get("asked") is None else ""  # a job of before requests were kept


def _asked(job: Job) -> Mapping[str, Any]:
    if why := _not_kept(job):
        raise InvalidStateError(why)
    asked: Mapping[str, Any] = job.params["asked"]
    return asked


def _plan(actor: Actor, job: Job) -> Plan | None:
    reference = job.params.get("plan")
    return plan_chosen(actor, reference) if reference else None


def _nic(nic: Mapping[str, Any]) -> NicRequest:
    network = Network.objects.filter(pk=nic["network"]).first() if nic["network"] else None
    if nic["network"] and network is None:
        raise InvalidStateError("A network that was named has been deleted. Ask for the take-over anew.")
    return NicRequest(mac=nic["mac"], network=network, addresses=tuple(nic["addresses"]))
