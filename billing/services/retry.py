"""Trying again what failed of another size and of a take-over: by the request that was made, with today's checks."""

from collections.abc import Mapping
from typing import Any

from billing.models import Plan
from billing.selectors import plan_chosen
from billing.services.adoption import adopt
from billing.services.resizing import guest_resize_by_owner
from hosts.models import Network
from panel.core.actors import Actor
from panel.core.errors import InvalidStateError
from panel.core.models import Job
from panel.core.permissions import Permission
from panel.core.retry import retryable
from vms.models import Difference, DifferenceKind, DifferenceState
from vms.services.adoption import AdoptRequest, NicRequest
from vms.services.retry import guest_of_job
from vms.states import GuestAction

_NOT_KEPT = "This job has not kept what was asked for. Ask for it anew."


def connect() -> None:
    """Make failed jobs of another size, and of taking over, retryable."""
    retryable([GuestAction.RESIZE], resize_again, needs=Permission.GUEST_RESIZE)
    retryable([GuestAction.ADOPT], adopt_again, needs=Permission.FLEET_MANAGE)


def resize_again(actor: Actor, job: Job) -> Job:
    """Ask for the same plan or size anew: the failed job gave back what it had taken.

    Raises:
        InvalidStateError: the guest is gone, or is not stopped.
        InvalidInputError, QuotaExceededError, CapacityError: as for the first request.
    """
    return guest_resize_by_owner(actor=actor, guest=guest_of_job(job), wanted=_asked(job))


def adopt_again(actor: Actor, job: Job) -> Job:
    """Take the domain over as it was asked for, by what is found of it today.

    Raises:
        InvalidStateError: it is no difference any more, or the customer or a network is gone.
        InvalidInputError, QuotaExceededError, CapacityError: as for the first request.
    """
    asked, plan = _asked(job), _plan(actor, job)
    domains = Difference.objects.filter(kind=DifferenceKind.DOMAIN_WITHOUT_GUEST)
    domain_id = job.resources.get(type="guest").resource_id
    difference = domains.filter(object_id=domain_id).exclude(state=DifferenceState.CLOSED).first()
    if difference is None:
        raise InvalidStateError("The difference is closed.")
    customer = job.customer
    if customer is None or customer.deleted_at is not None:
        raise InvalidStateError("The customer has been deleted.")
    request = AdoptRequest(
        customer=customer,
        name=asked["name"],
        nics=tuple(_nic(nic) for nic in asked["nics"]),
        plan_slug=plan.slug if plan else "",
        over_limit=asked["over_limit"],
        params={"plan": str(plan.pk) if plan else None},
    )
    return adopt(actor=actor, difference=difference, request=request, plan=plan)[1]


def _asked(job: Job) -> Mapping[str, Any]:
    asked: Mapping[str, Any] | None = job.params.get("asked")
    if asked is None:  # a job of before requests were kept
        raise InvalidStateError(_NOT_KEPT)
    return asked


def _plan(actor: Actor, job: Job) -> Plan | None:
    reference = job.params.get("plan")
    return plan_chosen(actor, reference) if reference else None


def _nic(nic: Mapping[str, Any]) -> NicRequest:
    network = Network.objects.filter(pk=nic["network"]).first() if nic["network"] else None
    if nic["network"] and network is None:
        raise InvalidStateError("A network that was named has been deleted. Ask for the take-over anew.")
    return NicRequest(mac=nic["mac"], network=network, addresses=tuple(nic["addresses"]))
