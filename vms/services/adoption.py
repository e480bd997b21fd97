"""Taking a domain that the panel has not made over into a customer's account; all is checked before it is touched.

The guest gets the domain's id, sizes, MACs and disks as they are. What it takes of quota and room is counted; staff may
let it exceed both, because it is there already.
"""

import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from hosts.models import Host, HostConnection, Image, StoragePool, Volume
from hosts.services.capacity import host_take, pool_take
from hosts.states import ImageState
from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import CapacityError, InvalidInputError, InvalidStateError
from panel.core.models import Customer, Job
from panel.core.units import GIB
from vms.models import Difference, Disk, Guest
from vms.services.actions import guest_audit, guest_job
from vms.services.adoptable import HOST_ROOT, guest_obstacle, is_host_root, left_alone, obstacle, own_disks, place
from vms.services.adoption_nics import NicRequest, nic_make, nics_settled
from vms.services.allocation import amounts, quota_take
from vms.services.reconcile.actions import ADOPT, refusals
from vms.states import GuestAction, PowerWanted

_LONGEST_NAME = 63  # of a pool
_NAME = re.compile(r"[^a-z0-9-]+")
IMAGE_SLUG = "taken-over"


_AFTER: list[Callable[[Guest, Mapping[str, Any]], None]] = []


def after_adoption(call: Callable[[Guest, Mapping[str, Any]], None]) -> None:
    """Have something done in the transaction that records a take-over; it gets the guest and the job's params."""
    _AFTER.append(call)


def adopted(*, guest: Guest, params: Mapping[str, Any]) -> None:
    """Do it. Called in the transaction that closes the job."""
    for call in _AFTER:
        call(guest, params)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptRequest:
    """Whose the domain becomes, and under which name. ``over_limit``: also above the quota and the host's room.

    ``accept_host_root``: also a container whose root is root of its host.
    """

    customer: Customer
    name: str = ""
    nics: tuple[NicRequest, ...] = ()
    plan_slug: str = ""
    over_limit: bool = False
    accept_host_root: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)  # kept with the job, for who asked

    def as_json(self) -> dict[str, Any]:
        """Return what a job keeps, so that it can be asked for again; the customer is the job's own."""
        return {
            "name": self.name,
            "nics": [nic.as_json() for nic in self.nics],
            "over_limit": self.over_limit,
            "accept_host_root": self.accept_host_root,
        }


@transaction.atomic
def guest_adopt(*, actor: Actor, difference: Difference, request: AdoptRequest) -> tuple[Guest, Job]:
    """Make the guest of a found domain, take what it holds, and submit the job that takes it over.

    Raises:
        InvalidStateError: it cannot be taken over; one sentence why.
        InvalidInputError: a nic's network or addresses, the name, or that its root is the host's was not accepted.
        QuotaExceededError, CapacityError: nothing was taken.
    """
    row = Difference.objects.select_for_update(of=("self",)).get(pk=difference.pk)
    if said := guest_obstacle(row) or refusals(row)[ADOPT] or obstacle(row):
        raise InvalidStateError(said, current=row.state)
    host_root = is_host_root(row)
    if host_root and not request.accept_host_root:
        raise InvalidInputError(fields={"accept_host_root": HOST_ROOT})
    found, host = row.found, Host.objects.get(pk=row.on_host_id)
    nics = nics_settled(host=host, found=found, asked_for=request.nics)
    disks = own_disks(found)
    sizes_gib = [-(-disk["capacity_bytes"] // GIB) for disk in disks]
    size = {"vcpus": found["vcpus"], "memory_mib": found["memory_mib"], "disk_gib": sum(sizes_gib)}
    v4 = sum(ipaddress.ip_address(one).version == 4 for _, _, addresses in nics for one in addresses)
    _quota_take(request, amounts(**size, addresses=v4))
    _room_take(host, size, over_limit=request.over_limit)
    pools = [_pool(host, disk) for disk in disks]
    _pool_take(pools[0], size["disk_gib"], over_limit=request.over_limit)
    guest = _guest_make(row, request, host, pools[0], size)
    for index, (disk, pool, size_gib) in enumerate(zip(disks, pools, sizes_gib, strict=True)):
        _disk_make(guest, index, disk, pool, size_gib)
    if found["ours"]:
        _seeds_note(guest, found)
    for index, (mac, network, addresses) in enumerate(nics):
        nic_make(guest=guest, index=index, mac=mac, network=network, addresses=addresses)
    params = {"found": found, "asked": request.as_json(), **request.params}
    job = guest_job(actor, guest, GuestAction.ADOPT, params=params)
    accepted = {"accept_host_root": (None, True)} if host_root else {}
    named = {"domain": (None, found["name"]), "host": (None, host.name)}
    guest_audit(actor, guest, "guest.adopt.requested", **named, **accepted)
    events.publish("difference", "all")
    return guest, job


# ── quota and room ──────────────────────────────────────────────────────────────────────────────────
def _quota_take(request: AdoptRequest, wanted: dict[str, int]) -> None:
    if not request.over_limit:
        quota_take(customer=request.customer, wanted=wanted)
        return
    more = {f"used_{name}": F(f"used_{name}") + amount for name, amount in wanted.items()}
    Customer.objects.filter(pk=request.customer.pk).update(**more)
    events.publish("customer", request.customer.pk, customer_id=request.customer.pk)


def _room_take(host: Host, size: Mapping[str, int], *, over_limit: bool) -> None:
    if host_take(host=host, vcpus=size["vcpus"], memory_mib=size["memory_mib"]):
        return
    if not over_limit:
        raise CapacityError("The host has not enough room left that may be sold for a server of this size.")
    names = ("vcpus", "memory_mib")
    Host.objects.filter(pk=host.pk).update(
        **{f"used_{n}": F(f"used_{n}") + size[n] for n in names},
        **{f"limit_{n}": Greatest(F(f"limit_{n}"), F(f"used_{n}") + size[n]) for n in names},
    )


def _pool_take(pool: StoragePool, disk_gib: int, *, over_limit: bool) -> None:
    if pool_take(pool=pool, disk_gib=disk_gib):
        return
    if not over_limit and (pool.for_new_guests or pool.capacity_bytes):
        raise CapacityError("The storage pool has not enough room left that may be sold for its disks.")
    StoragePool.objects.filter(pk=pool.pk).update(
        used_gib=F("used_gib") + disk_gib, limit_gib=Greatest(F("limit_gib"), F("used_gib") + disk_gib)
    )


def _pool(host: Host, disk: Mapping[str, Any]) -> StoragePool:
    """Return the pool of a disk's directory. One made for it gets no new guests; the job looks how large it is."""
    path, _ = place(disk)
    known = StoragePool.objects.filter(host=host, path=path).first()
    if known is not None:
        if known.left_alone and not left_alone(disk):  # it becomes a pool of the host's libvirt, or is one
            known.left_alone, known.name = False, disk["volume"]["pool"] if disk["volume"] else known.name
            known.save(update_fields=["left_alone", "name"])
        return known
    pool, _ = StoragePool.objects.get_or_create(
        host=host,
        name=disk["volume"]["pool"] if disk["volume"] else _pool_name(host, path),
        defaults={"path": path, "for_new_guests": False, "left_alone": left_alone(disk)},
    )
    if pool.path != path:
        raise InvalidStateError(f"A storage pool of the name {pool.name} has another directory than {path}.")
    return pool


def _pool_name(host: Host, path: str) -> str:
    """Return a name for the pool of a directory that has none; it tells two apart that would be cut to the same."""
    name = f"innkeeper-found-{_NAME.sub('-', path.lower())}".replace("--", "-").rstrip("-")
    if len(name) <= _LONGEST_NAME and not StoragePool.objects.filter(host=host, name=name).exists():
        return name
    return f"{name[: _LONGEST_NAME - 9]}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────
def _guest_make(
    row: Difference, request: AdoptRequest, host: Host, pool: StoragePool, size: Mapping[str, int]
) -> Guest:
    image, _ = Image.objects.get_or_create(
        slug=IMAGE_SLUG, defaults={"name": "Taken over", "os": "other", "state": ImageState.RETIRED, "host_types": []}
    )
    name = request.name or _NAME.sub("-", row.found["name"].lower()).strip("-")[:63] or "server"
    connection = HostConnection.objects.get(host=host, host_type=row.host_type)
    return Guest.objects.create(
        pk=row.about_id,
        name=name,
        hostname=name,
        domain_name=row.found["name"],
        customer=request.customer,
        host=host,
        pool=pool,
        host_type=connection.host_type,
        plan_slug=request.plan_slug,
        image=image,
        power_wanted=PowerWanted.ON if row.found["running"] else PowerWanted.OFF,
        seed_scrubbed_at=timezone.now(),
        **size,
    )


def _disk_make(guest: Guest, index: int, disk: Mapping[str, Any], pool: StoragePool, size_gib: int) -> None:
    volume, made = Volume.objects.get_or_create(
        pool=pool,
        name=place(disk)[1],
        defaults={
            "kind": "root" if index == 0 else "disk",
            "format": disk["format"],
            "capacity_bytes": disk["capacity_bytes"],
            "owner_id": guest.pk,
            "left_alone": left_alone(disk),
        },
    )
    if not made:
        raise InvalidStateError(f"Its disk {volume.name} is known to the panel as another server's.")
    Disk.objects.create(guest=guest, index=index, size_gib=size_gib, volume=volume)


def _seeds_note(guest: Guest, found: Mapping[str, Any]) -> None:
    """Note what a panel had made for a server of its own to read, by its name: it goes when the server is deleted.

    It is no seed any more, because nobody knows what to write into another one.
    """
    for disk in found["disks"]:
        path, name = place(disk)
        pool = StoragePool.objects.filter(host=guest.host, path=path).first()
        if disk["read_only"] and pool is not None and name.startswith(f"guest-{guest.pk}-"):
            about = {"kind": "disk", "format": disk["format"], "capacity_bytes": disk["capacity_bytes"] or 0}
            Volume.objects.get_or_create(pool=pool, name=name, defaults={**about, "owner_id": guest.pk})
