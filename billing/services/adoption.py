"""Taking a domain over with or without a plan. With one its customer pays from the moment it has succeeded."""

from collections.abc import Mapping
from typing import Any

from billing.models import Plan, Subscription
from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import InvalidInputError
from panel.core.models import Job
from panel.core.units import GIB
from vms.models import Difference, Guest
from vms.services.adoptable import own_disks
from vms.services.adoption import AdoptRequest, after_adoption, guest_adopt


def connect() -> None:
    """Make the subscription when the job that takes a domain over has succeeded."""
    after_adoption(_subscribe)


def adopt(*, actor: Actor, difference: Difference, request: AdoptRequest, plan: Plan | None) -> tuple[Guest, Job]:
    """Take a domain over; with ``plan`` under a subscription of its own.

    Raises:
        InvalidInputError: the plan is of another size; and all that ``guest_adopt`` raises.
    """
    if plan is not None and difference.found.get("vcpus") is not None:
        _check_plan(plan, difference)
    return guest_adopt(actor=actor, difference=difference, request=request)


def _check_plan(plan: Plan, difference: Difference) -> None:
    found = difference.found
    disk_gib = sum(-(-disk["capacity_bytes"] // GIB) for disk in own_disks(found))
    same = (plan.vcpus, plan.memory_mib) == (found["vcpus"], found["memory_mib"]) and disk_gib <= plan.disk_gib
    if not same or difference.host_type not in plan.host_types:
        size = f"{found['vcpus']} vCPUs, {found['memory_mib']} MiB and {disk_gib} GiB"
        raise InvalidInputError(
            fields={"plan": f"The domain has {size}: choose a plan of that size, or none and change it later."}
        )


def _subscribe(guest: Guest, params: Mapping[str, Any]) -> None:
    if not params.get("plan"):
        return
    subscription = Subscription.objects.create(customer_id=guest.customer_id, plan_id=params["plan"], guest=guest)
    events.publish("subscription", subscription.pk, customer_id=guest.customer_id)
