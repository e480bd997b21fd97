"""Deletions that failed are tried again: what was given up must not run, or take up room, for ever."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone

from hosts.models import HostConnection
from panel.core.actors import SYSTEM
from panel.core.errors import PanelError
from panel.core.models import Job, JobResource
from vms.models import Guest
from vms.services.guests import guest_delete
from vms.states import GuestAction, Lifecycle

AGAIN_AFTER = timedelta(minutes=5)
_AT_ONCE = 20


def deletions_go_on(host_ids: Collection[UUID]) -> list[Job]:
    """Delete anew what is to be deleted and has not been, with nobody at work, the last try a while ago."""
    return [job for guest in _unfinished(host_ids) if (job := _again(guest)) is not None]


def _unfinished(host_ids: Collection[UUID]) -> list[Guest]:
    of_guest = JobResource.objects.filter(type="guest", resource_id=OuterRef("pk"))
    recent = of_guest.filter(job__action=GuestAction.DELETE, job__finished_at__gte=timezone.now() - AGAIN_AFTER)
    silent = HostConnection.objects.filter(host_id=OuterRef("host_id"), host_type=OuterRef("host_type")).exclude(
        last_error=""
    )
    rows = Guest.objects.filter(
        ~Exists(of_guest.filter(slot__isnull=False)),
        ~Exists(recent),
        ~Exists(silent),
        host_id__in=host_ids,
        deletion_requested_at__isnull=False,
    )
    return list(rows.exclude(lifecycle=Lifecycle.DELETED)[:_AT_ONCE])


def _again(guest: Guest) -> Job | None:
    try:
        return guest_delete(actor=SYSTEM, guest=guest)
    except PanelError:  # it has been deleted meanwhile, or somebody else works on it
        return None
