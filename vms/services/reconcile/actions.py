"""What staff can do about a difference. Nothing of it happens unless somebody asks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from hosts.drivers.types import HostType, PowerState
from hosts.models import IPAddress, StoragePool, Volume
from hosts.services.addresses import addresses_release
from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import InvalidInputError, InvalidStateError
from panel.core.jobs import job_submit
from panel.core.models import Job
from vms.models import Difference, DifferenceKind, DifferenceState, Guest
from vms.services.limiter import limiter_lock
from vms.services.reconcile.automatic import repair_submit, repairs_go_on
from vms.services.reconcile.panel_checks import total_now
from vms.services.reconcile.settle import settled
from vms.services.reconcile.snapshots import Finding
from vms.services.reconcile.stopped import all_go_on, stopped_tell
from vms.services.reconcile.totals import total_set
from vms.services.reconcile.turns import turns_wait
from vms.states import Lifecycle

K = DifferenceKind
ADOPT, REPAIR, RELEASE, IGNORE = "adopt", "repair", "release", "ignore"
ACTIONS = (ADOPT, REPAIR, RELEASE, IGNORE)
_BY_GUEST_JOB = (K.GUEST_WITHOUT_DOMAIN, K.WRONG_SIZE, K.WRONG_NETWORK, K.FILTER_MISSING, K.CONFIGURATION_CHANGED,
                 K.VOLUME_MISSING, K.ADDRESS_NOT_ALLOCATED)  # fmt: skip
_AT_ONCE = (K.FILTER_MISSING, K.GUEST_WITHOUT_DOMAIN, K.VOLUME_MISSING)  # also for a guest that runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of an action. ``takes_effect``: "now", or "at the next start" of a running guest."""

    difference: Difference
    job: Job | None = None
    takes_effect: str = "now"


Release = Callable[[Actor, Difference], Job | None]
_RELEASES: dict[str, tuple[str, bool, Release]] = {}


def release_add(kind: DifferenceKind, text: str, release: Release, *, confirmed: bool) -> None:
    """Let an app above this one release a kind of its own; ``confirmed``: the label has to be typed."""
    _RELEASES[kind] = (text, confirmed, release)


def refusals(row: Difference) -> dict[str, str]:
    """Return for each action why it cannot be taken; "" when it can."""
    closed = "The difference is closed." if row.state == DifferenceState.CLOSED else ""
    suspected = "It is only suspected so far." if row.state == DifferenceState.SUSPECTED else ""
    return {
        ADOPT: closed or _adopt_refusal(row),
        REPAIR: closed or suspected or _repair_refusal(row),
        RELEASE: closed or suspected or _release_refusal(row),
        IGNORE: closed or ("It is ignored already." if row.state == DifferenceState.IGNORED else ""),
    }


def _adopt_refusal(row: Difference) -> str:
    if row.kind != K.DOMAIN_WITHOUT_GUEST:
        return "Only a domain without a guest can be taken over."
    if row.host_type == HostType.XEN and not row.found.get("ours"):
        return "A Xen server that the panel has not made cannot be taken over."
    return ""


def _repair_refusal(row: Difference) -> str:
    if row.kind in (K.TOTAL_WRONG, K.HOST_LOST_GUESTS, K.AUTOMATIC_STOPPED):
        return ""
    if row.kind not in _BY_GUEST_JOB:
        return "There is nothing on the host that could be repaired."
    if row.kind == K.VOLUME_MISSING and row.expected.get("kind") != "seed":
        return "A lost disk cannot be made again: rebuild the server, or put the file back."
    if not _guest_is_active(row):
        return "The panel has no server here that could be repaired."
    return ""


def _release_refusal(row: Difference) -> str:
    if needs_confirmation(row) is None:
        return "There is nothing to release."
    if row.kind == K.VOLUME_WITHOUT_OWNER and row.found.get("overlay"):
        return f"The volume {row.found['overlay']} is an overlay of it and would be lost with it."
    return ""


def _guest_is_active(row: Difference) -> bool:
    """Ask for one; a row of a list has the answer with it (``vms.selectors.difference_list_for``)."""
    known: bool | None = getattr(row, "guest_is_active", None)
    return Guest.objects.filter(pk=row.about_id, lifecycle=Lifecycle.ACTIVE).exists() if known is None else known


def needs_confirmation(row: Difference) -> bool | None:
    """Return whether releasing needs the label typed; None when there is nothing to release."""
    if row.kind in _RELEASES:
        return _RELEASES[row.kind][1]
    if row.kind == K.VOLUME_WITHOUT_OWNER:
        return True
    gone = row.kind == K.VOLUME_MISSING and row.object_id is None
    return False if gone or row.kind == K.ADDRESS_WITHOUT_GUEST else None


def _checked(difference_id: UUID, action: str) -> Difference:
    row = Difference.objects.select_for_update(of=("self",)).get(pk=difference_id)
    if said := refusals(row)[action]:
        raise InvalidStateError(said, current=row.state)
    return row


def _audit(actor: Actor, row: Difference, action: str, **changes: tuple[Any, Any]) -> None:
    audit_record(
        actor=actor,
        action=f"difference.{action}",
        object_type="difference",
        object_id=row.pk,
        object_label=f"{DifferenceKind(row.kind).label}: {row.label}",
        customer_id=row.customer_id,
        changes=changes,
    )
    events.publish("difference", "all")


@transaction.atomic
def difference_ignore(*, actor: Actor, difference: Difference, reason: str) -> Settled:
    """Leave it as it is, with who and why. It comes back when it changes. Raises: InvalidStateError."""
    row = _checked(difference.pk, IGNORE)
    row.state, row.ignored_by, row.ignored_reason = DifferenceState.IGNORED, actor.label[:254], reason
    row.ignored_at = timezone.now()
    row.save(update_fields=["state", "ignored_by", "ignored_reason", "ignored_at"])
    _audit(actor, row, "ignored", reason=(None, reason))
    return Settled(difference=row)


def difference_repair(*, actor: Actor, difference: Difference) -> Settled:
    """Bring the host (by a job), or a total of the panel's (at once), back to what it should be.

    What the limiter has stopped goes on: all that waits now, as this person's request.

    Raises:
        InvalidStateError: this difference cannot be repaired, or not in this state.
        ResourceBusyError: somebody is at work on the guest.
        CapacityError: a total's sum is above what may be sold.
    """
    # Counted before anything is locked: what others take meanwhile is in both the total and its sum.
    now = total_now(difference.object_type, difference.about_id) if difference.kind == K.TOTAL_WRONG else None
    return _repair(actor, difference, now)


@transaction.atomic
def _repair(actor: Actor, difference: Difference, total: Finding | None) -> Settled:
    if difference.kind == K.HOST_LOST_GUESTS:
        turns_wait(host_id=difference.on_host_id, host_type=difference.host_type)  # it is about many rows
    if difference.kind == K.AUTOMATIC_STOPPED:
        limiter_lock()  # before the row, as those take both who tell what is stopped
    row = _checked(difference.pk, REPAIR)
    if row.kind == K.TOTAL_WRONG:
        changes = total_set(row, total) if total is not None else {}
        _audit(actor, row, "repaired", **changes)
        settled(row, how="repaired")
        row.refresh_from_db()
        return Settled(difference=row)
    if row.kind == K.HOST_LOST_GUESTS:
        return _lost_repair(actor, row)
    if row.kind == K.AUTOMATIC_STOPPED:
        return _stopped_go_on(actor, row)
    guest = Guest.objects.get(pk=row.about_id)
    job = repair_submit(row, actor=actor)
    _audit(actor, row, "repair.requested")
    running = guest.power_state in (PowerState.RUNNING, PowerState.PAUSED)
    later = running and row.kind not in _AT_ONCE
    return Settled(difference=row, job=job, takes_effect="at the next start" if later else "now")


def _lost_repair(actor: Actor, row: Difference) -> Settled:
    """Have all servers that a host has lost repaired, one after the other: as fast as the limiter lets."""
    lost = Difference.objects.filter(
        host_id=row.on_host_id, host_type=row.host_type, kind=K.GUEST_WITHOUT_DOMAIN,
        state__in=(DifferenceState.SUSPECTED, DifferenceState.OPEN),
    )  # fmt: skip
    guests = lost.update(repair_asked_by=actor.label[:254])
    _audit(actor, row, "repair.requested", guests=(None, guests))
    jobs = repairs_go_on(host_id=row.on_host_id, host_type=row.host_type)
    stopped_tell()
    return Settled(difference=row, job=jobs[0] if jobs else None)


def _stopped_go_on(actor: Actor, row: Difference) -> Settled:
    jobs = all_go_on(actor=actor)
    _audit(actor, row, "repair.requested", guests=(None, len(jobs)))
    row.refresh_from_db()
    return Settled(difference=row, job=jobs[0] if jobs else None)


@transaction.atomic
def difference_release(*, actor: Actor, difference: Difference, confirm: str = "") -> Settled:
    """Give back what nobody has a right to: an address, a volume (by a job that looks once more), a contract.

    Raises:
        InvalidInputError: ``confirm`` is not the label where data would be lost.
        InvalidStateError: there is nothing to release, or it has an owner by now.
    """
    row = _checked(difference.pk, RELEASE)
    if needs_confirmation(row) and confirm != row.label:
        raise InvalidInputError(fields={"confirm": f"Type {row.label} to confirm: what is released is lost."})
    job: Job | None = None
    if row.kind in _RELEASES:
        job = _RELEASES[row.kind][2](actor, row)
    elif row.kind == K.VOLUME_WITHOUT_OWNER:
        job = _volume_release(actor, row)
    elif row.kind == K.VOLUME_MISSING:
        Volume.objects.filter(pool__host_id=row.on_host_id, pool__name=row.expected["pool"], name=row.label).delete()
    else:
        _address_release(row)
    _audit(actor, row, "released" if job is None else "release.requested")
    if job is None:
        settled(row, how="released")
        row.refresh_from_db()
    return Settled(difference=row, job=job)


def _volume_release(actor: Actor, row: Difference) -> Job:
    pool = StoragePool.objects.get(host_id=row.on_host_id, name=row.found["pool"])
    return job_submit(
        action="volume.release",
        actor=actor,
        resources=[("difference", row.pk)],
        params={"pool": str(pool.pk), "name": row.found["name"]},
        host_id=row.host_id,
    )


def _address_release(row: Difference) -> None:
    address = IPAddress.objects.select_for_update().filter(pk=row.about_id).first()
    if address is None or address.owner_id is None:
        return
    if Guest.objects.filter(pk=address.owner_id).exclude(lifecycle=Lifecycle.DELETED).exists():
        raise InvalidStateError("The address belongs to a server by now.")
    addresses_release(owner_id=address.owner_id)
