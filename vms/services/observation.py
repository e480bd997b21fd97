"""Writing down what a host reported of its guests."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from hosts.drivers.types import DomainInfo, PowerState
from panel.core import events
from panel.core.models import JobResource, ResourceSlot
from vms.models import Guest
from vms.states import Lifecycle, PowerWanted

SELF_OFF_AFTER = timedelta(seconds=60)
SILENT_FOR = timedelta(hours=1)
_HOST_KEY = re.compile(rb"INNKEEPER-HOSTKEY (\S{1,40}) (SHA256:[A-Za-z0-9+/=]{20,64})")
_READY = b"INNKEEPER-READY"


def observe_host(
    *, host_id: UUID, host_type: str, domains: Sequence[DomainInfo], asked_at: datetime, rebooted: bool
) -> int:
    """Write the power states of one listing. Returns how many guests changed.

    ``asked_at`` is when the listing began: what a job saw later is not overwritten. A guest that is not in
    the listing becomes ``unknown``, never off and never gone.
    """
    seen = {info.id: info for info in domains if info.ours}
    changed = 0
    guests = _living(host_id=host_id, host_type=host_type).filter(lifecycle=Lifecycle.ACTIVE)
    unchanged: list[UUID] = []
    for guest in guests:
        info = seen.get(guest.pk)
        state = info.state if info else PowerState.UNKNOWN
        reason = info.state_reason if info and state != PowerState.RUNNING else ""
        if (guest.power_state, guest.state_reason) == (state, reason):
            unchanged.append(guest.pk)
        elif _not_newer(guest.pk, asked_at).update(power_state=state, state_reason=reason, observed_at=asked_at):
            changed += 1
            events.publish("guest", guest.pk, customer_id=guest.customer_id)
        _note_self_off(guest, state, asked_at, rebooted=rebooted)
    known = [pk for pk in unchanged if pk in seen]
    Guest.objects.filter(pk__in=known).update(observed_at=asked_at)
    return changed


def _living(*, host_id: UUID, host_type: str) -> QuerySet[Guest]:
    return Guest.objects.filter(host_id=host_id, host_type=host_type).exclude(lifecycle=Lifecycle.DELETED)


def _not_newer(guest_id: UUID, asked_at: datetime) -> QuerySet[Guest]:
    return Guest.objects.filter(pk=guest_id).exclude(observed_at__gt=asked_at)


def _note_self_off(guest: Guest, state: PowerState, asked_at: datetime, *, rebooted: bool) -> None:
    """A guest that powered itself off is wanted off only if its host stayed up for a minute longer."""
    if state != PowerState.SHUTOFF or guest.power_wanted == PowerWanted.OFF or rebooted:
        if guest.off_since is not None:
            Guest.objects.filter(pk=guest.pk).update(off_since=None)
        return
    if _has_job(guest.pk):
        return
    if guest.off_since is None:
        Guest.objects.filter(pk=guest.pk).update(off_since=asked_at)
    elif asked_at - guest.off_since >= SELF_OFF_AFTER:
        Guest.objects.filter(pk=guest.pk, power_state=PowerState.SHUTOFF).update(
            power_wanted=PowerWanted.OFF, off_since=None
        )
        events.publish("guest", guest.pk, customer_id=guest.customer_id)


def _has_job(guest_id: UUID) -> bool:
    return JobResource.objects.filter(type="guest", resource_id=guest_id, slot=ResourceSlot.HOLDING).exists()


def host_silent(*, host_id: UUID, host_type: str) -> None:
    """A hypervisor did not answer: its guests are unknown, with the time they were last seen."""
    guests = _living(host_id=host_id, host_type=host_type).filter(lifecycle=Lifecycle.ACTIVE)
    for guest in guests.exclude(power_state=PowerState.UNKNOWN):
        Guest.objects.filter(pk=guest.pk).update(power_state=PowerState.UNKNOWN, state_reason="")
        events.publish("guest", guest.pk, customer_id=guest.customer_id)


def booting(*, host_id: UUID, host_type: str) -> list[Guest]:
    """Running guests that have not yet been seen ready, without a job at work on them."""
    busy = JobResource.objects.filter(type="guest", resource_id=OuterRef("pk"), slot=ResourceSlot.HOLDING)
    return list(
        _living(host_id=host_id, host_type=host_type)
        .filter(lifecycle=Lifecycle.ACTIVE, power_state=PowerState.RUNNING, booted_at__isnull=True)
        .exclude(Exists(busy))
        .order_by("observed_at")[:50]
    )


def to_scrub(*, host_id: UUID, host_type: str) -> list[Guest]:
    """Guests that have read a seed which may still hold a password's hash.

    One that never says it is ready has read it after an hour's run all the same.
    """
    rows = _living(host_id=host_id, host_type=host_type).filter(lifecycle=Lifecycle.ACTIVE)
    lately = JobResource.objects.filter(
        type="guest", resource_id=OuterRef("pk"), job__created_at__gte=timezone.now() - SILENT_FOR
    )
    silent = Q(power_state=PowerState.RUNNING) & ~Exists(lately)
    return list(rows.filter(Q(booted_at__isnull=False) | silent, seed_scrubbed_at__isnull=True)[:50])


def console_read(*, guest: Guest, output: bytes) -> bool:
    """Take the host keys from what a guest printed. True when it said that it is ready."""
    if _READY not in output:
        return False
    last_boot = output[: output.rindex(_READY)]
    keys = {kind.decode("ascii", "replace"): mark.decode("ascii") for kind, mark in _HOST_KEY.findall(last_boot)}
    shown = [{"type": kind, "fingerprint": mark} for kind, mark in sorted(keys.items())]
    Guest.objects.filter(pk=guest.pk).update(booted_at=timezone.now(), host_keys=shown[:8])
    events.publish("guest", guest.pk, customer_id=guest.customer_id)
    return True
