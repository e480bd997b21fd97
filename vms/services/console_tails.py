"""What guests print while they boot: that they are ready, and their host keys. When their seeds have been read."""

import re
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from hosts.drivers.types import PowerState
from panel.core import events
from panel.core.models import JobResource, JobStatus, ResourceSlot
from vms.models import Guest
from vms.states import GuestAction, Lifecycle

SILENT_FOR = timedelta(hours=1)
BOOT_WATCHED_FOR = timedelta(minutes=15)  # the slowest emulated machine takes some
_BOOTING_AT_ONCE = 200
_SCRUBS_AT_ONCE = 50
SCRUB_AGAIN_AFTER = timedelta(minutes=5)
_HOST_KEY = re.compile(rb"INNKEEPER-HOSTKEY (\S{1,40}) (SHA256:[A-Za-z0-9+/=]{20,64})")
_READY = b"INNKEEPER-READY"


def booting(host_ids: Collection[UUID]) -> list[Guest]:
    """Guests that a job started in the last minutes and that have not been seen ready; nobody is at work on them."""
    return list(_not_ready(host_ids).filter(_started_lately()).order_by("?")[:_BOOTING_AT_ONCE])


def late(host_ids: Collection[UUID]) -> list[Guest]:
    """Some of those that have taken longer: they may have been ready unseen, or never will be."""
    return list(_not_ready(host_ids).exclude(_started_lately()).order_by("?")[: 5 * len(host_ids)])


def _not_ready(host_ids: Collection[UUID]) -> QuerySet[Guest]:
    rows = Guest.objects.filter(
        host_id__in=host_ids, lifecycle=Lifecycle.ACTIVE, power_state=PowerState.RUNNING, booted_at__isnull=True
    ).exclude(Exists(_jobs().filter(slot=ResourceSlot.HOLDING)))
    return rows.only("customer_id", "host_id", "host_type")


def _started_lately() -> Exists:
    return Exists(_jobs().filter(job__finished_at__gte=Now() - BOOT_WATCHED_FOR))


def _jobs() -> QuerySet[JobResource]:
    return JobResource.objects.filter(type="guest", resource_id=OuterRef("pk"))


def to_scrub(host_ids: Collection[UUID]) -> list[Guest]:
    """Guests that have read a seed which may still hold a password's hash; after a failure, a while later.

    One that never says it is ready has read it after an hour's run all the same.
    """
    failed = _jobs().filter(
        job__action=GuestAction.SCRUB_SEED,
        job__status=JobStatus.ERROR,
        job__finished_at__gte=Now() - SCRUB_AGAIN_AFTER,
    )
    lately = _jobs().filter(job__created_at__gte=Now() - SILENT_FOR)
    silent = Q(power_state=PowerState.RUNNING) & ~Exists(lately)
    rows = Guest.objects.filter(~Exists(failed), host_id__in=host_ids, lifecycle=Lifecycle.ACTIVE)
    return list(rows.filter(Q(booted_at__isnull=False) | silent, seed_scrubbed_at__isnull=True)[:_SCRUBS_AT_ONCE])


def console_read(*, guest: Guest, output: bytes) -> bool:
    """Take the host keys from what a guest printed. True when it said that it is ready."""
    if _READY not in output:
        return False
    last_boot = output[: output.rindex(_READY)]
    keys = {kind.decode("ascii", "replace"): mark.decode("ascii") for kind, mark in _HOST_KEY.findall(last_boot)}
    shown = [{"type": kind, "fingerprint": mark} for kind, mark in sorted(keys.items())]
    Guest.objects.filter(pk=guest.pk).update(booted_at=Now(), host_keys=shown[:8])
    events.publish("guest", guest.pk, customer_id=guest.customer_id)
    return True
