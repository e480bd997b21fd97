"""After a host has started anew: what should run there runs again, the oldest first, a few at a time.

The boot id tells. A guest that was last seen running under another boot of its host, is off under the present one and
is wanted on did not ask to be off. One that its owner powered off from inside is wanted off by then, and stays so.

The limiter (``vms.services.limiter``) does not count these starts: they lose nothing, owners have asked for them, and a
whole host's guests must come back. How many start at once is limited here.

Filters and a container's file systems are put back by the start itself: libvirt's hook does that before anything of
the guest runs, and forbids the start when it cannot (ADR 8).
"""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from hosts.drivers.types import PowerState
from hosts.models import Host
from hosts.states import HostState
from panel.core.actors import SYSTEM
from panel.core.errors import PanelError
from panel.core.models import Job, JobResource, ResourceSlot
from vms.models import Guest, GuestSuspension
from vms.services.actions import guest_action_submit, guest_locked
from vms.states import GuestAction, Lifecycle, PowerWanted

SLOT_KIND = "boot"  # so many of them are started at once on a host; see hosts.services.enrolment.SLOTS
QUEUED_AT_ONCE = 50  # jobs a host may have waiting for that; the next follow as these end
TRIES = 3  # of one guest after one start of its host
AGAIN_AFTER = timedelta(minutes=1)
_OFF = (PowerState.SHUTOFF, PowerState.CRASHED)


def power_restore(*, host_id: UUID, host_type: str, boot_id: str) -> list[Job]:
    """Submit the starts that a host's restart made necessary; call it after its guests were observed.

    ``boot_id`` is the one read before they were, "" when it is not known: then nothing is started. A host in
    maintenance waits until that ends. Two collectors start nothing twice: the second finds the guest held or running.
    """
    if not boot_id or not Host.objects.filter(pk=host_id, state=HostState.ACTIVE, boot_id=boot_id).exists():
        return []
    lost = _lost(host_id=host_id, host_type=host_type, boot_id=boot_id)
    under_way = Job.objects.filter(host_id=host_id, slot_kind=SLOT_KIND, resources__slot=ResourceSlot.HOLDING).count()
    room = max(0, QUEUED_AT_ONCE - under_way)
    submitted = [_start(guest, boot_id) for guest in lost.order_by("created_at", "pk")[:room]]
    return [job for job in submitted if job is not None]


def _lost(*, host_id: UUID, host_type: str, boot_id: str) -> QuerySet[Guest]:
    """Guests that ran before the host's present boot, should run, and are off with nobody at work on them."""
    of_guest = JobResource.objects.filter(type="guest", resource_id=OuterRef("pk"))
    lately = of_guest.filter(job__slot_kind=SLOT_KIND, job__created_at__gte=Now() - AGAIN_AFTER)
    guests = Guest.objects.filter(
        ~Exists(GuestSuspension.objects.filter(guest=OuterRef("pk"))),
        ~Exists(of_guest.filter(slot__isnull=False)),
        ~Exists(lately),
        host_id=host_id,
        host_type=host_type,
        lifecycle=Lifecycle.ACTIVE,
        power_wanted=PowerWanted.ON,
        power_state__in=_OFF,
        deletion_requested_at__isnull=True,
    )
    return guests.exclude(seen_boot_id__in=("", boot_id))


def _start(guest: Guest, boot_id: str) -> Job | None:
    """Submit one start; None when it is not needed any more, cannot be, or has failed too often under this boot."""
    try:
        with transaction.atomic():
            locked = guest_locked(guest)
            wanted = locked.power_wanted == PowerWanted.ON and locked.seen_boot_id not in ("", boot_id)
            tried = Job.objects.filter(
                resources__type="guest", resources__resource_id=locked.pk, params__boot_id=boot_id
            ).count()
            if not wanted or locked.power_state not in _OFF or tried >= TRIES:
                return None
            return guest_action_submit(
                actor=SYSTEM,
                guest=locked,
                action=GuestAction.START,
                params={"boot_id": boot_id},
                slot_kind=SLOT_KIND,
            )
    except PanelError:
        return None
