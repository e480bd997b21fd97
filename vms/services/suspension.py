"""Withholding service: a set of reasons, what to start again when none is left, and seeing to it that it is so."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from hosts.drivers.types import PowerState
from panel.core import events
from panel.core.actors import SYSTEM, Actor
from panel.core.cancelling import job_drop
from panel.core.errors import PanelError
from panel.core.models import Job, JobResource, ResourceSlot
from vms.models import Guest, GuestSuspension
from vms.selectors import power_of
from vms.services.actions import action_check, guest_audit, guest_job, guest_locked, job_at_work
from vms.services.limiter import WINDOW, as_limiter_lets, in_turn
from vms.states import RULES, GuestAction, Lifecycle, PowerWanted

ENFORCE_AGAIN_AFTER = timedelta(minutes=1)
ASKED_LATELY = WINDOW  # so long stopping the guest is part of what somebody asked for, not the panel's own doing
_AT_ONCE = 50
_ON = (PowerState.RUNNING, PowerState.PAUSED)
_STARTING = [a for a, rule in RULES.items() if rule.wanted == PowerWanted.ON or a is GuestAction.UNSUSPEND]


@transaction.atomic
def guest_suspend(*, actor: Actor, guest: Guest, reason: str, note: str = "") -> Job | None:
    """Withhold service for a reason. The reason counts at once; the job stops the guest.

    Returns None when this reason is set already and the guest is off, or a job is at work on that.
    """
    locked = guest_locked(guest)
    action_check(locked, GuestAction.SUSPEND)
    was_running = not locked.suspensions.exists() and _runs(locked)
    _, created = GuestSuspension.objects.get_or_create(
        guest=locked, reason=reason, defaults={"note": note, "was_running": was_running}
    )
    if not created:
        stopped = locked.lifecycle != Lifecycle.ACTIVE or power_of(locked) == PowerState.SHUTOFF
        if stopped or job_at_work(locked, GuestAction.SUSPEND) is not None:
            return None
        return _again(actor, locked, GuestAction.SUSPEND)
    locked.power_wanted = PowerWanted.OFF
    locked.save(update_fields=["power_wanted"])
    guest_audit(actor, locked, "guest.suspended", reason=(None, reason))
    events.publish("guest", locked.pk, customer_id=locked.customer_id)
    return _next_in_line(actor, locked, GuestAction.SUSPEND)


@transaction.atomic
def guest_unsuspend(*, actor: Actor, guest: Guest, reason: str | None = None) -> Job | None:
    """Take one reason away (or all). When none is left, only what was running starts again.

    Returns None when nothing has to be started, or a job is at work on that.
    """
    locked = guest_locked(guest)
    rows = locked.suspensions.filter(reason=reason) if reason else locked.suspensions.all()
    reasons = sorted(rows.values_list("reason", flat=True))
    if not reasons:
        return _again(actor, locked, GuestAction.UNSUSPEND) if _start_failed(locked) else None
    was_running = locked.suspensions.filter(was_running=True).exists()
    rows.delete()
    left = locked.suspensions.order_by("created_at").first()
    if left is not None and was_running:
        left.was_running = True
        left.save(update_fields=["was_running"])
    guest_audit(actor, locked, "guest.unsuspended", reason=(reasons, []))
    events.publish("guest", locked.pk, customer_id=locked.customer_id)
    if left is not None or not was_running:
        return None
    locked.power_wanted = PowerWanted.ON
    locked.save(update_fields=["power_wanted"])
    if locked.lifecycle not in (Lifecycle.PROVISIONING, Lifecycle.ACTIVE):
        return None
    return _next_in_line(actor, locked, GuestAction.UNSUSPEND)


def _runs(guest: Guest) -> bool:
    """True when it runs or is about to. What was asked for counts only where nobody knows, or has looked lately."""
    starting = _of_guest(guest).filter(job__action__in=_STARTING).exists()
    power = power_of(guest)
    return starting or (guest.power_wanted == PowerWanted.ON if power == PowerState.UNKNOWN else power in _ON)


def _start_failed(guest: Guest) -> bool:
    """True when it should run, nothing withholds it, and nobody is at work on it."""
    wanted = guest.lifecycle == Lifecycle.ACTIVE and guest.power_wanted == PowerWanted.ON
    off = guest.power_state == PowerState.SHUTOFF and guest.deletion_requested_at is None
    return wanted and off and not guest.suspensions.exists() and not _of_guest(guest).exists()


def _of_guest(guest: Guest) -> QuerySet[JobResource]:
    return JobResource.objects.filter(type="guest", resource_id=guest.pk, slot__isnull=False)


def _again(actor: Actor, guest: Guest, action: GuestAction, params: Mapping[str, Any] | None = None) -> Job | None:
    """Have done what was decided before and does not hold. It is in the audit trail like every accepted change."""
    job = _next_in_line(actor, guest, action, params)
    if job is not None:
        guest_audit(actor, guest, f"{action}.requested")
    return job


def _next_in_line(
    actor: Actor, guest: Guest, action: GuestAction, params: Mapping[str, Any] | None = None
) -> Job | None:
    """Return the job that will do it, in front of whatever waits; None when what waits needs the guest off anyway."""
    row = _of_guest(guest).filter(slot=ResourceSlot.WAITING).select_related("job").first()
    if row is None:
        return job_at_work(guest, action) or guest_job(actor, guest, action, params=params)
    if row.job.action == action:
        return row.job
    if action is GuestAction.SUSPEND and row.job.action == GuestAction.RESIZE:
        return None
    suspended = action is GuestAction.SUSPEND
    job_drop(row.job, reason="The server was suspended." if suspended else "The server's suspension has ended.")
    return guest_job(actor, guest, action, params=params)


# ── for the collector ───────────────────────────────────────────────────────────────────────────────
def suspensions_enforce(host_ids: Collection[UUID]) -> list[Job]:
    """Have guests stopped that run though they are suspended: at once what was asked for lately; others as limited."""
    running = _running_though_suspended().filter(host_id__in=host_ids)
    asked = running.filter(_asked_lately())[:_AT_ONCE]
    stopped = [job for guest in asked if (job := suspension_enforce(actor=SYSTEM, guest=guest)) is not None]
    others = in_turn(running.exclude(_asked_lately()))[:_AT_ONCE]
    enforce = partial(suspension_enforce, actor=SYSTEM)
    return stopped + as_limiter_lets((guest.pk, partial(enforce, guest=guest)) for guest in others)


def suspensions_waiting() -> QuerySet[Guest]:
    """Guests that run though they are suspended and that the limiter decides about."""
    return _running_though_suspended().exclude(_asked_lately())


def _running_though_suspended() -> QuerySet[Guest]:
    """Guests seen running though they are suspended, with nobody at work and no try in the last minute."""
    of_guest = JobResource.objects.filter(type="guest", resource_id=OuterRef("pk"))
    recent = of_guest.filter(job__action=GuestAction.SUSPEND, job__created_at__gte=Now() - ENFORCE_AGAIN_AFTER)
    return Guest.objects.filter(
        Exists(GuestSuspension.objects.filter(guest=OuterRef("pk"))),
        ~Exists(of_guest.filter(slot=ResourceSlot.HOLDING)),
        ~Exists(recent),
        lifecycle=Lifecycle.ACTIVE,
        power_state__in=_ON,
        deletion_requested_at__isnull=True,
    )


def _asked_lately() -> Exists:
    return Exists(GuestSuspension.objects.filter(guest=OuterRef("pk"), created_at__gte=Now() - ASKED_LATELY))


def suspension_enforce(*, actor: Actor, guest: Guest, params: Mapping[str, Any] | None = None) -> Job | None:
    """Submit the job that stops a suspended guest; None when it is suspended no more, or busy."""
    try:
        with transaction.atomic():
            locked = guest_locked(guest)
            if not locked.suspensions.exists():
                return None
            action_check(locked, GuestAction.SUSPEND)
            return _again(actor, locked, GuestAction.SUSPEND, params)
    except PanelError:
        return None
