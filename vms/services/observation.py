"""Writing down what a host reported of its guests."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from hosts.drivers.types import DomainInfo, PowerState
from panel.core import events
from panel.core.models import JobResource, JobStatus, ResourceSlot
from vms.models import Guest
from vms.states import GuestAction, Lifecycle, PowerWanted

SELF_OFF_AFTER = timedelta(seconds=60)
SILENT_FOR = timedelta(hours=1)
BOOT_WATCHED_FOR = timedelta(minutes=15)  # the slowest emulated machine takes some
SCRUB_AGAIN_AFTER = timedelta(minutes=5)
_HOST_KEY = re.compile(rb"INNKEEPER-HOSTKEY (\S{1,40}) (SHA256:[A-Za-z0-9+/=]{20,64})")
_READY = b"INNKEEPER-READY"


def observe_host(
    *, host_id: UUID, host_type: str, domains: Sequence[DomainInfo], asked_at: datetime, boot_id: str
) -> int:
    """Write the power states of one listing. Returns how many guests changed.

    ``asked_at`` is when the listing began: what a job saw later is not overwritten. A guest that is not in
    the listing becomes ``unknown``, never off and never gone. ``boot_id`` is the host's, "" when it is not known.
    """
    seen = {info.id: info for info in domains if info.ours}
    changed = 0
    guests = _living(host_id=host_id, host_type=host_type).filter(lifecycle=Lifecycle.ACTIVE)
    unchanged: list[UUID] = []
    on: list[UUID] = []
    for guest in guests:
        info = seen.get(guest.pk)
        state = info.state if info else PowerState.UNKNOWN
        reason = info.state_reason if info and state != PowerState.RUNNING else ""
        if (guest.power_state, guest.state_reason) == (state, reason):
            unchanged.append(guest.pk)
        elif _not_newer(guest.pk, asked_at).update(power_state=state, state_reason=reason, observed_at=asked_at):
            changed += 1
            events.publish("guest", guest.pk, customer_id=guest.customer_id)
        if boot_id and state in (PowerState.RUNNING, PowerState.PAUSED) and guest.seen_boot_id != boot_id:
            on.append(guest.pk)
        _note_self_off(guest, state, asked_at, boot_id=boot_id)
    known = [pk for pk in unchanged if pk in seen]
    Guest.objects.filter(pk__in=known).exclude(observed_at__gt=asked_at).update(observed_at=asked_at)
    Guest.objects.filter(pk__in=on).update(seen_boot_id=boot_id)
    return changed


def _living(*, host_id: UUID, host_type: str) -> QuerySet[Guest]:
    return Guest.objects.filter(host_id=host_id, host_type=host_type).exclude(lifecycle=Lifecycle.DELETED)


def _not_newer(guest_id: UUID, asked_at: datetime) -> QuerySet[Guest]:
    return Guest.objects.filter(pk=guest_id).exclude(observed_at__gt=asked_at)


def _note_self_off(guest: Guest, state: PowerState, asked_at: datetime, *, boot_id: str) -> None:
    """A guest that powered itself off is wanted off only if its host stayed up for a minute longer.

    It is off since its host started anew when it was last seen running under another boot: then it did not ask to be.
    """
    same_boot = bool(boot_id) and guest.seen_boot_id == boot_id
    if state != PowerState.SHUTOFF or guest.power_wanted == PowerWanted.OFF or not same_boot:
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


def host_silent(*, host_id: UUID, host_type: str, asked_at: datetime) -> None:
    """A hypervisor did not answer: its guests are unknown, with the time they were last seen.

    Those that a job saw after ``asked_at`` are known.
    """
    guests = _living(host_id=host_id, host_type=host_type).filter(lifecycle=Lifecycle.ACTIVE)
    for guest in guests.exclude(power_state=PowerState.UNKNOWN):
        if _not_newer(guest.pk, asked_at).update(power_state=PowerState.UNKNOWN, state_reason=""):
            events.publish("guest", guest.pk, customer_id=guest.customer_id)


def booting(*, host_id: UUID, host_type: str) -> list[Guest]:
    """Guests that a job started in the last minutes and that have not been seen ready; nobody is at work on them."""
    return list(_not_ready(host_id, host_type).filter(_started_lately()).order_by("?")[:50])


def late(*, host_id: UUID, host_type: str) -> list[Guest]:
    """A few of those that have taken longer: they may have been ready unseen, or never will be."""
    return list(_not_ready(host_id, host_type).exclude(_started_lately()).order_by("?")[:5])


def _not_ready(host_id: UUID, host_type: str) -> QuerySet[Guest]:
    return (
        _living(host_id=host_id, host_type=host_type)
        .filter(lifecycle=Lifecycle.ACTIVE, power_state=PowerState.RUNNING, booted_at__isnull=True)
        .exclude(Exists(_jobs().filter(slot=ResourceSlot.HOLDING)))
    )


def _started_lately() -> Exists:
    return Exists(_jobs().filter(job__finished_at__gte=timezone.now() - BOOT_WATCHED_FOR))


def _jobs() -> QuerySet[JobResource]:
    return JobResource.objects.filter(type="guest", resource_id=OuterRef("pk"))


def to_scrub(*, host_id: UUID, host_type: str) -> list[Guest]:
    """Guests that have read a seed which may still hold a password's hash; after a failure, a while later.

    One that never says it is ready has read it after an hour's run all the same.
    """
    failed = _jobs().filter(
        job__action=GuestAction.SCRUB_SEED,
        job__status=JobStatus.ERROR,
        job__finished_at__gte=timezone.now() - SCRUB_AGAIN_AFTER,
    )
    lately = _jobs().filter(job__created_at__gte=timezone.now() - SILENT_FOR)
    silent = Q(power_state=PowerState.RUNNING) & ~Exists(lately)
    rows = _living(host_id=host_id, host_type=host_type).filter(~Exists(failed), lifecycle=Lifecycle.ACTIVE)
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
