"""Another size for a guest that somebody owns: by plan, or for staff by numbers."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from billing.models import Plan
from billing.selectors import plan_chosen, subscription_of
from billing.services.order_request import SIZES
from billing.services.plan_resize import guest_resize_to_plan
from billing.services.subscriptions import subscription_change_plan
from billing.states import SubscriptionStatus
from panel.core.actors import Actor
from panel.core.errors import InvalidInputError, InvalidStateError
from panel.core.models import Job
from panel.core.permissions import Permission
from vms.models import Guest
from vms.services.resize import guest_resize


@transaction.atomic
def guest_resize_by_owner(*, actor: Actor, guest: Guest, wanted: Mapping[str, Any]) -> Job:
    """Change a stopped guest's size: ``plan``, or for staff some of vcpus, memory_mib and disk_gib.

    Raises:
        InvalidInputError: with the fields that cannot be accepted.
        InvalidStateError: it is not stopped, has this size already, or is on no plan.
        QuotaExceededError, CapacityError: nothing was changed.
    """
    actor.require(Permission.GUEST_RESIZE, guest.customer_id)
    sizes = {name: wanted[name] for name in SIZES if name in wanted}
    if not actor.may(Permission.GUEST_PLACE) and sizes:
        raise InvalidInputError(fields=dict.fromkeys(sizes, "Only staff can choose a size without a plan."))
    if "plan" in wanted and sizes:
        raise InvalidInputError(fields=dict.fromkeys(sizes, "Give either a plan or sizes."))
    if "plan" in wanted:
        return _to_plan(actor, guest, wanted["plan"])
    if not sizes:
        raise InvalidInputError(fields={"plan": "Choose a plan."})
    full = {name: getattr(guest, name) for name in SIZES} | sizes
    return guest_resize(actor=actor, guest=guest, **full, plan_slug=guest.plan_slug)


def _to_plan(actor: Actor, guest: Guest, reference: str) -> Job:
    plan = plan_chosen(actor, reference)
    subscription = subscription_of(guest)
    if subscription is None or subscription.status != SubscriptionStatus.ACTIVE:
        return _without_subscription(actor, guest, plan)
    outcome = subscription_change_plan(actor=actor, subscription=subscription, plan=plan)
    if outcome.job is None:
        raise InvalidStateError(f"The server is on the plan {plan.slug} already.", current=plan.slug)
    return outcome.job


def _without_subscription(actor: Actor, guest: Guest, plan: Plan) -> Job:
    if not actor.may(Permission.GUEST_PLACE):
        raise InvalidStateError("This server is on no plan. Ask us to change its size.", current="no_plan")
    return guest_resize_to_plan(actor=actor, guest=guest, plan=plan)
