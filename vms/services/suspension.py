"""Withholding service: a set of reasons, and what to start again when none is left."""

from django.db import transaction

from hosts.drivers.types import PowerState
from panel.core import events
from panel.core.actors import Actor
from panel.core.models import Job
from vms.models import Guest, GuestSuspension
from vms.services.actions import action_check, guest_audit, guest_job, guest_locked, job_at_work
from vms.states import GuestAction, Lifecycle, PowerWanted


@transaction.atomic
def guest_suspend(*, actor: Actor, guest: Guest, reason: str, note: str = "") -> Job | None:
    """Withhold service for a reason. The reason counts at once; the job stops the guest.

    Returns None when this reason is set already.
    """
    locked = guest_locked(guest)
    action_check(locked, GuestAction.SUSPEND)
    first = not locked.suspensions.exists()
    was_running = first and locked.power_wanted == PowerWanted.ON and locked.power_state != PowerState.SHUTOFF
    _, created = GuestSuspension.objects.get_or_create(
        guest=locked, reason=reason, defaults={"note": note, "was_running": was_running}
    )
    if not created:
        return None
    locked.power_wanted = PowerWanted.OFF
    locked.save(update_fields=["power_wanted"])
    guest_audit(actor, locked, "guest.suspended", reason=(None, reason))
    events.publish("guest", locked.pk, customer_id=locked.customer_id)
    return job_at_work(locked, GuestAction.SUSPEND) or guest_job(actor, locked, GuestAction.SUSPEND)


@transaction.atomic
def guest_unsuspend(*, actor: Actor, guest: Guest, reason: str | None = None) -> Job | None:
    """Take one reason away (or all). When none is left, only what was running starts again.

    Returns None when nothing has to be started.
    """
    locked = guest_locked(guest)
    rows = locked.suspensions.filter(reason=reason) if reason else locked.suspensions.all()
    reasons = sorted(rows.values_list("reason", flat=True))
    if not reasons:
        return None
    was_running = locked.suspensions.filter(was_running=True).exists()
    rows.delete()
    left = locked.suspensions.order_by("created_at").first()
    if left is not None and was_running:
        left.was_running = True
        left.save(update_fields=["was_running"])
    guest_audit(actor, locked, "guest.unsuspended", reason=(reasons, []))
    events.publish("guest", locked.pk, customer_id=locked.customer_id)
    if left is not None or not was_running or locked.lifecycle != Lifecycle.ACTIVE:
        return None
    locked.power_wanted = PowerWanted.ON
    locked.save(update_fields=["power_wanted"])
    return job_at_work(locked, GuestAction.UNSUSPEND) or guest_job(actor, locked, GuestAction.UNSUSPEND)
