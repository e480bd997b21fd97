"""What a job has left, in the panel and on the simulated host, so that two runs can be compared and leaks be found."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Sum

from hosts.models import Host, HostImage, IPAddress, StoragePool, Volume
from panel.core.models import Customer, HostSlot, Job, JobUndo
from panel.core.models.jobs import ACTIVE
from tests.simulated_fleet import Fleet
from vms.models import Guest, GuestSecret

_OF_GUEST = ("lifecycle", "power_state", "power_wanted", "error_message", "vcpus", "memory_mib", "disk_gib",
             "build_number", "password_set")  # fmt: skip


def outcome(job: Job, fleet: Fleet) -> dict[str, Any]:
    """Return how a job ended and what became of what it worked on, without names and moments."""
    job.refresh_from_db()
    found: dict[str, Any] = {
        "status": job.status,
        "error": job.error_code,
        "held": job.resources.exclude(slot=None).count(),
    }
    for resource in job.resources.filter(type="guest"):
        guest = Guest.objects.get(pk=resource.resource_id)
        domain = fleet.admin.dump_host(guest.host.name).domains.get(guest.pk) if guest.host else None
        found |= {name: getattr(guest, name) for name in _OF_GUEST}
        found["on the host"] = domain and str(domain.state)
        found["runs with"] = domain and domain.live_spec and domain.live_spec.memory_mib
        found["suspended"] = guest.suspensions.count()
        found["secret"] = GuestSecret.objects.filter(guest=guest).exists()
        found["volumes"] = sorted(Volume.objects.filter(owner_id=guest.pk).values_list("kind", flat=True))
        found["addresses"] = IPAddress.objects.filter(owner_id=guest.pk).count()
    return found


def leaks(fleet: Fleet, host: Host) -> list[str]:
    """Return what is there and belongs to nobody, and sums that are not what they are the sum of."""
    living = {guest.pk: guest for guest in Guest.objects.filter(deleted_at__isnull=True)}
    state = fleet.admin.dump_host(host.name)
    domains, volumes = set(state.domains), {name for one in state.directories.values() for name in one.volumes}
    known = set(Volume.objects.values_list("name", flat=True))
    known |= {image.file.volume_name for image in HostImage.objects.select_related("file")}
    slots = HostSlot.objects.exclude(job=None).exclude(job__status__in=ACTIVE)
    used = IPAddress.objects.filter(owner_id__isnull=False)
    found = [
        *_odd("domains without a guest", domains - set(living)),
        *_odd("guests without a domain", {pk for pk, one in living.items() if one.lifecycle == "active"} - domains),
        *_odd("remains of domains", state.stray),
        *_odd("volumes that nobody knows", volumes - known),
        *_odd("volumes that are not there", known - volumes),
        *_odd("addresses of the dead", used.exclude(owner_id__in=living).values_list("address", flat=True)),
        *_odd("undo entries", JobUndo.objects.exclude(job__status__in=ACTIVE).values_list("inverse", flat=True)),
        *_odd("slots", slots.values_list("kind", flat=True)),
        *_odd("secrets", GuestSecret.objects.exclude(guest__in=living).values_list("guest_id", flat=True)),
    ]
    return [*found, *_sums(living.values(), host)]


def _odd(what: str, things: Iterable[Any]) -> list[str]:
    return [f"{what}: {sorted(map(str, things))}"] if list(things) else []


def _sums(living: Iterable[Guest], host: Host) -> list[str]:
    living = list(living)
    sizes = {name: sum(getattr(one, name) for one in living) for name in ("vcpus", "memory_mib", "disk_gib")}
    addresses = IPAddress.objects.filter(owner_id__in=[one.pk for one in living], family=4).count()
    held = {**sizes, "guests": len(living), "addresses": addresses}
    counted = Customer.objects.aggregate(**{name: Sum(f"used_{name}") for name in held})
    now = Host.objects.get(pk=host.pk)
    pool = StoragePool.objects.get(host=host)
    sold = {"vcpus": now.used_vcpus, "memory_mib": now.used_memory_mib, "disk_gib": pool.used_gib}
    wrong = {f"customers use {name}": (counted[name], held[name]) for name in held}
    wrong |= {f"sold {name}": (sold[name], sizes[name]) for name in sizes}
    return [f"{what}: {found}, not {should}" for what, (found, should) in wrong.items() if found != should]
