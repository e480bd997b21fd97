"""What happens to a subscription after the order. Locks: the guest first, then the subscription."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from billing.models import Plan, Subscription
from billing.selectors import active_job_of, subscription_of
from billing.services.plan_resize import guest_resize_to_plan
from billing.states import SubscriptionStatus
from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import InvalidStateError
from panel.core.models import Job
from panel.core.permissions import Permission
from vms.models import Guest
from vms.services.guests import guest_delete
from vms.services.suspension import guest_suspend, guest_unsuspend
from vms.states import GuestAction, Lifecycle


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: ``started`` False when it was so already; ``job`` is at work on it, if any is."""

    started: bool
    job: Job | None


@transaction.atomic
def subscription_suspend(*, actor: Actor, subscription: Subscription, reason: str, note: str = "") -> Outcome:
    """Withhold service for one reason; reasons are a set. The owner sees the guest but cannot start it.

    Raises:
        InvalidStateError: the subscription was terminated.
    """
    guest = _guest_of(actor, subscription)
    job = guest_suspend(actor=actor, guest=guest, reason=reason, note=note)
    _changed(subscription)
    return _outcome(job, guest, GuestAction.SUSPEND)


@transaction.atomic
def subscription_unsuspend(*, actor: Actor, subscription: Subscription, reason: str | None = None) -> Outcome:
    """Take a reason away, or all. With the last one the guest starts again if it ran before.

    Raises:
        InvalidStateError: the subscription was terminated.
    """
    guest = _guest_of(actor, subscription)
    job = guest_unsuspend(actor=actor, guest=guest, reason=reason)
    _changed(subscription)
    return _outcome(job, guest, GuestAction.UNSUSPEND)


@transaction.atomic
def subscription_change_plan(*, actor: Actor, subscription: Subscription, plan: Plan) -> Outcome:
    """Give a stopped guest another plan's size; the new price counts from now.

    Should the job fail, guest and subscription have the old plan again (a trigger keeps them in step).

    Raises:
        InvalidStateError: the subscription was terminated.
        InvalidInputError, InvalidStateError, QuotaExceededError, CapacityError: as ``guest_resize_to_plan``.
    """
    guest = _locked(subscription)
    _refuse_terminated(subscription)
    subscription.refresh_from_db()
    if subscription.plan_id == plan.pk:
        return Outcome(started=False, job=active_job_of(guest, GuestAction.RESIZE))
    before = subscription.plan
    job = guest_resize_to_plan(actor=actor, guest=guest, plan=plan)
    Subscription.objects.filter(pk=subscription.pk).update(plan=plan)
    _record(actor, subscription, "subscription.plan-changed", plan=(before.slug, plan.slug))
    return Outcome(started=True, job=job)


@transaction.atomic
def subscription_terminate(*, actor: Actor, subscription: Subscription) -> Outcome:
    """End the contract and delete the guest with its disks, also a suspended one."""
    guest = _locked(subscription)
    _end(actor, subscription)
    if guest.lifecycle == Lifecycle.DELETED:
        return Outcome(started=False, job=None)
    if (job := active_job_of(guest, GuestAction.DELETE)) is not None:
        return Outcome(started=False, job=job)
    return Outcome(started=True, job=_delete(actor, guest))


@transaction.atomic
def guest_terminate(*, actor: Actor, guest: Guest) -> Job:
    """Delete a guest for whoever may, and end its subscription. Asking again returns the job at work.

    Raises:
        InvalidStateError: it is suspended and the caller is not of the hosting company, or it is deleted.
    """
    guest = Guest.objects.select_for_update().get(pk=guest.pk)
    if guest.suspensions.exists() and not actor.may(Permission.SUBSCRIPTION_MANAGE):
        raise InvalidStateError("The server is suspended.", current="suspended")
    job = _delete(actor, guest)
    if (subscription := subscription_of(guest)) is not None:
        _end(actor, subscription)
    return job


def _delete(actor: Actor, guest: Guest) -> Job:
    # What withheld service ends with the contract; only deleting is left to do.
    guest.suspensions.all().delete()
    return guest_delete(actor=actor, guest=guest)


@transaction.atomic
def subscription_end(*, actor: Actor, subscription: Subscription) -> None:
    """End a contract that has no guest any more."""
    _end(actor, subscription)


def _end(actor: Actor, subscription: Subscription) -> None:
    ended = Subscription.objects.filter(pk=subscription.pk, status=SubscriptionStatus.ACTIVE).update(
        status=SubscriptionStatus.TERMINATED, terminated_at=Now()
    )
    if ended:
        _record(actor, subscription, "subscription.terminated", status=("active", "terminated"))


def _guest_of(actor: Actor, subscription: Subscription) -> Guest:
    actor.require(Permission.SUBSCRIPTION_MANAGE, subscription.customer_id)
    guest = _locked(subscription)
    _refuse_terminated(subscription)
    return guest


def _locked(subscription: Subscription) -> Guest:
    return Guest.objects.select_for_update(of=("self",)).get(subscription=subscription.pk)


def _refuse_terminated(subscription: Subscription) -> None:
    if Subscription.objects.filter(pk=subscription.pk, status=SubscriptionStatus.TERMINATED).exists():
        raise InvalidStateError("The subscription has been terminated.", current="terminated")


def _outcome(job: Job | None, guest: Guest, action: GuestAction) -> Outcome:
    return Outcome(started=job is not None, job=job or active_job_of(guest, action))


def _changed(subscription: Subscription) -> None:
    events.publish("subscription", subscription.pk, customer_id=subscription.customer_id)


def _record(actor: Actor, subscription: Subscription, action: str, **changes: tuple[Any, Any]) -> None:
    audit_record(
        actor=actor,
        action=action,
        object_type="subscription",
        object_id=subscription.pk,
        object_label=subscription.external_id or str(subscription.pk),
        customer_id=subscription.customer_id,
        changes=changes,
    )
    _changed(subscription)
