"""Asking something of a guest: the check against the state machine, the job, the audit entry."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from panel.core import events
from panel.core.actors import SYSTEM, Actor
from panel.core.audit import audit_record
from panel.core.cancelling import cancel_needs
from panel.core.errors import PanelError
from panel.core.jobs import job_submit
from panel.core.models import Job
from vms.models import Guest
from vms.selectors import power_of, power_shown
from vms.states import RULES, GuestAction, Rule, check_allowed, refusal

_HOUSEKEEPING = frozenset({str(GuestAction.SCRUB_SEED)})  # nobody is refused because of these
# Those of the kind "power" wait for the guest to go down: a deaf one must not keep a worker from all others.
_SLOT_KINDS = {
    GuestAction.CREATE: "build",
    GuestAction.REBUILD: "build",
    GuestAction.SHUTDOWN: "power",
    GuestAction.REBOOT: "power",
    GuestAction.RESET_ROOT_PASSWORD: "power",
    GuestAction.SUSPEND: "power",
}


def connect() -> None:
    """Let only those cancel a guest's job who may ask for its action."""
    for action, rule in RULES.items():
        cancel_needs([action], rule.permission)


@transaction.atomic
def guest_action_submit(
    *,
    actor: Actor,
    guest: Guest,
    action: GuestAction,
    params: Mapping[str, Any] | None = None,
    parent: Job | None = None,
    slot_kind: str = "",
) -> Job:
    """Check the action against the state machine, note the intent, submit the job.

    ``slot_kind`` bounds it on its host with others of that kind instead of the action's own.

    Raises:
        InvalidStateError, ResourceBusyError: nothing was changed.
    """
    locked = guest_locked(guest)
    rule = action_check(locked, action)
    job = guest_job(actor, locked, action, params=params, parent=parent, slot_kind=slot_kind)
    if rule.wanted is not None and locked.power_wanted != rule.wanted:
        locked.power_wanted = rule.wanted
        locked.save(update_fields=["power_wanted"])
    guest_audit(actor, locked, f"{action}.requested")
    return job


def guest_locked(guest: Guest) -> Guest:
    """Lock a guest's row until the end of the transaction and return it fresh."""
    rows = Guest.objects.select_for_update(of=("self",)).select_related("customer", "host", "image")
    return rows.annotate(power_shown=power_shown()).get(pk=guest.pk)


def action_check(guest: Guest, action: GuestAction) -> Rule:
    """Return the action's rule. Raises: InvalidStateError."""
    return check_allowed(action, **_state(guest))


def action_refusal(guest: Guest, action: GuestAction) -> str:
    """Return why the action would be refused, or "". Asks for nothing when the suspensions were prefetched."""
    return refusal(action, **_state(guest))


def _state(guest: Guest) -> dict[str, Any]:
    return {
        "lifecycle": guest.lifecycle,
        "power_state": power_of(guest),
        "suspended": bool(guest.suspensions.all()),
        "deleting": guest.deletion_requested_at is not None,
        "taken_over": bool(guest.domain_name),
    }


def guest_job(
    actor: Actor,
    guest: Guest,
    action: GuestAction,
    *,
    params: Mapping[str, Any] | None = None,
    slot_kind: str = "",
    parent: Job | None = None,
) -> Job:
    """Submit the job of an action that was checked already. Raises: ResourceBusyError."""
    job = job_submit(
        action=action,
        actor=actor,
        resources=[("guest", guest.pk)],
        customer_id=guest.customer_id,
        params=params,
        host_id=guest.host_id,
        slot_kind=slot_kind or _SLOT_KINDS.get(action, ""),
        may_wait=RULES[action].may_wait,
        wait_behind=_HOUSEKEEPING,
        parent=parent,
    )
    events.publish("guest", guest.pk, customer_id=guest.customer_id)
    return job


def guest_audit(actor: Actor, guest: Guest, action: str, **changes: tuple[Any, Any]) -> None:
    """Write an audit entry about a guest."""
    audit_record(
        actor=actor,
        action=action,
        object_type="guest",
        object_id=guest.pk,
        object_label=guest.name,
        customer_id=guest.customer_id,
        changes=changes,
    )


def job_at_work(guest: Guest, action: GuestAction) -> Job | None:
    """Return the job of this action that holds the guest or waits for it."""
    return Job.objects.filter(
        resources__type="guest", resources__resource_id=guest.pk, resources__slot__isnull=False, action=action
    ).first()


def seed_scrub(*, guest: Guest) -> Job | None:
    """Submit the job that takes the password's hash out of a booted guest's seed; None when it is busy."""
    try:
        if job_at_work(guest, GuestAction.SCRUB_SEED) is not None:
            return None
        return guest_job(SYSTEM, guest, GuestAction.SCRUB_SEED)
    except PanelError:
        return None
