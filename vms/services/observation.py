"""Writing down what a host reported of its guests."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from hosts.drivers.types import DomainInfo, PowerState
from panel.core import events
from panel.core.clock import not_in_future
from panel.core.models import JobResource, ResourceSlot
from vms.models import Guest
from vms.states import PowerWanted

SELF_OFF_AFTER = timedelta(seconds=60)
_ON = (PowerState.RUNNING, PowerState.PAUSED)
_OFF = (PowerState.SHUTOFF, PowerState.CRASHED)
_GUESTS = """
SELECT id, customer_id, power_state, state_reason, power_wanted, seen_boot_id, off_since FROM vms_guest
WHERE host_id = %s AND host_type = %s AND lifecycle = 'active' AND (observed_at IS NULL OR observed_at <= %s)
"""
_STILL = """
UPDATE vms_guest SET observed_at = %s WHERE id = ANY(%s) AND (observed_at IS NULL OR observed_at <= %s)
"""
_CHANGE = """
UPDATE vms_guest g SET power_state = c.state, state_reason = c.reason,
       observed_at = CASE WHEN c.state = 'unknown' THEN g.observed_at ELSE %s END
FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS c(id, state, reason)
WHERE g.id = c.id AND (g.observed_at IS NULL OR g.observed_at <= %s)
RETURNING g.id, g.customer_id, g.power_state IN ('running', 'paused')
          AND EXISTS (SELECT 1 FROM vms_guestsuspension s WHERE s.guest_id = g.id)
"""
_SILENCE = """
UPDATE vms_guest SET power_state = 'unknown', state_reason = ''
WHERE host_id = %s AND host_type = %s AND lifecycle = 'active' AND power_state <> 'unknown'
      AND (observed_at IS NULL OR observed_at <= %s)
RETURNING id, customer_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What came of writing an answer down.

    ``suspended``: some that changed are on though they are suspended. ``restarted``: guests are off since their host
    started anew.
    """

    changed: int
    suspended: bool
    restarted: bool


class _Row(NamedTuple):
    """What is compared of a guest."""

    pk: UUID
    customer_id: UUID
    power_state: str
    state_reason: str
    power_wanted: str
    seen_boot_id: str
    off_since: datetime | None


def observe_host(
    *,
    host_id: UUID,
    host_type: str,
    domains: Sequence[DomainInfo],
    asked_at: datetime,
    boot_id: str,
    about: Collection[UUID] | None = None,
) -> Observed:
    """Write the power states of one listing, or of what single domains said, in a fixed number of statements.

    ``asked_at`` is when the asking began: what was seen later is not overwritten. A guest that is not in the
    listing becomes ``unknown``, never off and never gone. ``boot_id`` is the host's, "" when it is not known.
    ``about``: the domains that were asked for, None for all.
    """
    seen = {info.id: info for info in domains if info.ours}
    guests = _rows(host_id, host_type, asked_at, about)
    changes, unchanged, on = [], [], []
    for guest in guests:
        state, reason = _reported(seen.get(guest.pk))
        if (guest.power_state, guest.state_reason) != (state, reason):
            changes.append((guest.pk, state, reason))
        elif guest.pk in seen:
            unchanged.append(guest.pk)
        if boot_id and state in _ON and guest.seen_boot_id != boot_id:
            on.append(guest.pk)
    written = _write_changes(changes, asked_at)
    if unchanged:
        _execute(_STILL, [asked_at, unchanged, asked_at])
    if on:
        Guest.objects.filter(pk__in=on).update(seen_boot_id=boot_id)
    off = [guest for guest in guests if guest.pk in seen and seen[guest.pk].state in _OFF]
    wanted = [guest for guest in off if guest.power_wanted != PowerWanted.OFF]
    _note_self_off(guests, wanted, seen, asked_at, boot_id=boot_id)
    return Observed(
        changed=len(written),
        suspended=any(suspended for *_, suspended in written),
        restarted=any(guest.seen_boot_id not in ("", boot_id) for guest in wanted),
    )


def _rows(host_id: UUID, host_type: str, asked_at: datetime, about: Collection[UUID] | None) -> list[_Row]:
    """Return the guests that an answer to a question of that time tells something new of."""
    if about is None:
        return [_Row(*row) for row in _execute(_GUESTS, [host_id, host_type, asked_at])]
    return [_Row(*row) for row in _execute(f"{_GUESTS} AND id = ANY(%s)", [host_id, host_type, asked_at, list(about)])]


def _execute(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows. Plain SQL, because this runs for each host every few seconds."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def _reported(info: DomainInfo | None) -> tuple[PowerState, str]:
    if info is None:
        return PowerState.UNKNOWN, ""
    return info.state, info.state_reason if info.state != PowerState.RUNNING else ""


def _write_changes(changes: Sequence[tuple[UUID, PowerState, str]], asked_at: datetime) -> list[tuple[Any, ...]]:
    """Write new power states in one statement and tell open pages. Returns those that were not overtaken."""
    if not changes:
        return []
    ids, states, reasons = zip(*changes, strict=True)
    written = _execute(_CHANGE, [asked_at, list(ids), list(map(str, states)), list(reasons), asked_at])
    _publish(written)
    return written


def _publish(written: Sequence[tuple[Any, ...]]) -> int:
    for guest_id, customer_id, *_ in written:
        events.publish("guest", guest_id, customer_id=customer_id)
    return len(written)


def _note_self_off(
    guests: Sequence[_Row],
    wanted: Sequence[_Row],
    seen: Mapping[UUID, DomainInfo],
    asked_at: datetime,
    *,
    boot_id: str,
) -> None:
    """A guest that powered itself off is wanted off only if its host stayed up for a minute longer.

    It is off since its host started anew when it was last seen running under another boot: then it did not ask to be.
    ``wanted``: those that are off and should not be.
    """
    off = [
        guest
        for guest in wanted
        if seen[guest.pk].state == PowerState.SHUTOFF and boot_id and guest.seen_boot_id == boot_id
    ]
    kept = {guest.pk for guest in off}
    ended = [guest.pk for guest in guests if guest.off_since is not None and guest.pk not in kept]
    if ended:
        Guest.objects.filter(pk__in=ended).update(off_since=None)
    if not off:
        return
    busy = _with_job(kept)
    idle = [guest for guest in off if guest.pk not in busy]
    since = [guest.pk for guest in idle if guest.off_since is None]
    if since:
        Guest.objects.filter(pk__in=since).update(off_since=asked_at)
    long_off = [guest for guest in idle if guest.off_since and asked_at - guest.off_since >= SELF_OFF_AFTER]
    if long_off:
        rows = Guest.objects.filter(pk__in=[guest.pk for guest in long_off], power_state=PowerState.SHUTOFF)
        rows.update(power_wanted=PowerWanted.OFF, off_since=None)
        _publish([(guest.pk, guest.customer_id) for guest in long_off])


def _with_job(guest_ids: Collection[UUID]) -> set[UUID]:
    held = JobResource.objects.filter(type="guest", resource_id__in=guest_ids, slot=ResourceSlot.HOLDING)
    return set(held.values_list("resource_id", flat=True))


def host_silent(*, host_id: UUID, host_type: str, asked_at: datetime) -> int:
    """A hypervisor did not answer: its guests are unknown, with the time they were last seen. Returns how many changed.

    Those that were seen after ``asked_at`` are known.
    """
    return _publish(_execute(_SILENCE, [host_id, host_type, asked_at]))


def observed_not_in_future() -> int:
    """After the database's clock was set back guests were not seen in the future: reports are written again."""
    return not_in_future((("vms_guest", "observed_at"), ("vms_guest", "off_since")))
