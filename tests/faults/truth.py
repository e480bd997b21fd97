"""What a job has left, in the panel and on its host, so that two runs can be compared and leaks be found."""

from collections.abc import Iterable
from typing import Any, Protocol

from django.db.models import Sum

from hosts.models import Host, HostImage, IPAddress, StoragePool, Volume
from panel.core.models import Customer, HostSlot, Job, JobUndo
from panel.core.models.jobs import ACTIVE
from tests.simulated_fleet import HostSight
from vms.models import Difference, Guest, GuestSecret

_OF_GUEST = ("lifecycle", "power_state", "power_wanted", "error_message", "vcpus", "memory_mib", "disk_gib",
             "build_number", "password_set")  # fmt: skip


class Eyes(Protocol):
    """Whoever can say what a host really has: a simulated fleet, or real hosts."""

    def seen(self, host: Host) -> HostSight: ...


def outcome(job: Job, fleet: Eyes) -> dict[str, Any]:
    """Return how a job ended and what became of what it worked on, without names and moments."""
    job.refresh_from_db()
    found: dict[str, Any] = {
        "status": job.status,
        "error": job.error_code,
        "held": job.resources.exclude(slot=None).count(),
    }
    for resource in job.resources.filter(type="guest"):
        guest = Guest.objects.filter(pk=resource.resource_id).first()
        if guest is None:  # one that was not taken over
            found["on the host"] = "somebody else's"
            continue
        found |= {name: getattr(guest, name) for name in _OF_GUEST}
        found["on the host"] = fleet.seen(guest.host).domains.get(guest.pk) if guest.host else None
        found["suspended"] = guest.suspensions.count()
        found["secret"] = GuestSecret.objects.filter(guest=guest).exists()
        found["volumes"] = sorted(Volume.objects.filter(owner_id=guest.pk).values_list("kind", flat=True))
        found["addresses"] = IPAddress.objects.filter(owner_id=guest.pk).count()
    return found


def leaks(fleet: Eyes, host: Host) -> list[str]:
    """Return what is there and belongs to nobody, and sums that are not what they are the sum of."""
    everybody = {guest.pk: guest for guest in Guest.objects.filter(deleted_at__isnull=True)}
    living = {pk: guest for pk, guest in everybody.items() if guest.host_id == host.pk}
    sight = fleet.seen(host)
    domains = set(sight.domains)
    known = set(Volume.objects.filter(pool__host=host, left_alone=False).values_list("name", flat=True))
    images = {image.file.volume_name for image in HostImage.objects.filter(host=host).select_related("file")}
    unowned = Difference.objects.filter(kind="volume-without-owner", state="open").values_list("label", flat=True)
    slots = HostSlot.objects.exclude(job=None).exclude(job__status__in=ACTIVE)
    used = IPAddress.objects.filter(owner_id__isnull=False)
    found = [
        *_odd("domains without a guest", domains - set(living)),
        *_odd("guests without a domain", {pk for pk, one in living.items() if one.lifecycle == "active"} - domains),
        *_odd("remains of domains", sight.remains),
        *_odd("volumes that nobody knows", sight.volumes - known - images - set(unowned)),
        *_odd("volumes that are not there", (known | images) - sight.volumes),
        *_odd("addresses of the dead", used.exclude(owner_id__in=everybody).values_list("address", flat=True)),
        *_odd("undo entries", JobUndo.objects.exclude(job__status__in=ACTIVE).values_list("inverse", flat=True)),
        *_odd("slots", slots.values_list("kind", flat=True)),
        *_odd("secrets", GuestSecret.objects.exclude(guest__in=everybody).values_list("guest_id", flat=True)),
    ]
    return [*found, *_wrong_sums(list(everybody.values()), host)]


def _odd(what: str, things: Iterable[Any]) -> list[str]:
    return [f"{what}: {sorted(map(str, things))}"] if list(things) else []


def _wrong_sums(everybody: list[Guest], host: Host) -> list[str]:
    addresses = IPAddress.objects.filter(owner_id__in=[one.pk for one in everybody], family=4).count()
    held = {**_sizes(everybody), "guests": len(everybody), "addresses": addresses}
    counted = Customer.objects.aggregate(**{name: Sum(f"used_{name}") for name in held})
    wrong = {f"customers use {name}": (counted[name] or 0, held[name]) for name in held}
    now, disk_gib = Host.objects.get(pk=host.pk), StoragePool.objects.filter(host=host).aggregate(all=Sum("used_gib"))
    sold = {"vcpus": now.used_vcpus, "memory_mib": now.used_memory_mib, "disk_gib": disk_gib["all"]}
    here = _sizes([one for one in everybody if one.host_id == host.pk])
    wrong |= {f"sold {name}": (sold[name], here[name]) for name in here}
    return [f"{what}: {found}, not {should}" for what, (found, should) in wrong.items() if found != should]


def _sizes(guests: list[Guest]) -> dict[str, int]:
    return {name: sum(getattr(one, name) for one in guests) for name in ("vcpus", "memory_mib", "disk_gib")}
