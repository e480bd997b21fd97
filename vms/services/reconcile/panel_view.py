"""Reading what the panel has of one hypervisor of a host; a constant number of queries."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from hosts.drivers.types import VolumeRef
from hosts.models import Host, HostConnection, ImageFile, IPAddress, StoragePool, Volume
from hosts.services.addresses import v6_without_row
from panel.core.models import JobResource
from vms.models import Difference, DifferenceKind, Guest
from vms.models.differences import LIVING
from vms.services.reconcile.snapshots import GuestView, NicView, PanelView, VolumeView
from vms.states import Lifecycle


def busy_since(began_at: datetime) -> frozenset[UUID]:
    """Return the guests that a job holds, waits for, or has worked on since."""
    at_work = Q(slot__isnull=False) | Q(job__finished_at__gte=began_at)
    return frozenset(JobResource.objects.filter(at_work, type="guest").values_list("resource_id", flat=True))


def panel_view(*, connection: HostConnection, began_at: datetime, used_addresses: Iterable[str]) -> PanelView:
    """Return it as it is now. Read it after the host was asked: then whoever was at work meanwhile is known."""
    rows = Guest.objects.filter(host_id=connection.host_id, host_type=connection.host_type)
    guests = list(rows.exclude(lifecycle=Lifecycle.DELETED).prefetch_related("nics__network"))
    addresses: dict[UUID, set[str]] = {}
    for owner_nic, address in IPAddress.objects.filter(owner_id__in=[guest.pk for guest in guests]).values_list(
        "nic_id", "address"
    ):
        addresses.setdefault(owner_nic, set()).add(address)  # type: ignore[arg-type]
    used = set(used_addresses)
    owners = dict(IPAddress.objects.filter(address__in=used).values_list("address", "owner_id"))
    owners = dict.fromkeys(v6_without_row(host_id=connection.host_id, addresses=used - owners.keys())) | owners
    host = Host.objects.only("name", "boot_id").get(pk=connection.host_id)
    pools = list(StoragePool.objects.filter(host=host))
    return PanelView(
        host_id=host.pk,
        host_name=host.name,
        boot_id=host.boot_id,
        host_type=connection.host_type,
        guests=tuple(_guest(guest, addresses) for guest in guests),
        pool_paths={pool.name: pool.path for pool in pools},
        found_pools=frozenset(pool.name for pool in pools if not pool.for_new_guests),
        volumes=_volumes(connection.host_id),
        image_names=frozenset(file.volume_name for file in ImageFile.objects.only("sha256", "format")),
        busy=busy_since(began_at),
        addresses=owners,
        used_elsewhere=_used_elsewhere(connection),
    )


def _used_elsewhere(connection: HostConnection) -> frozenset[VolumeRef] | None:
    others = HostConnection.objects.filter(host_id=connection.host_id, enabled=True).exclude(pk=connection.pk)
    compared = Q(comparison__written__gt=0, uncompared_since__isnull=True)
    if others.filter(last_error="").exclude(compared).exists():  # what one that is silent uses is asked at a release
        return None
    found = Difference.objects.filter(
        kind=DifferenceKind.DOMAIN_WITHOUT_GUEST, host_id=connection.host_id, state__in=LIVING
    ).exclude(host_type=connection.host_type)
    disks = [disk for domain in found.values_list("found", flat=True) for disk in domain["disks"]]
    return frozenset(VolumeRef(**disk["volume"]) for disk in disks if disk["volume"] is not None)


def _guest(guest: Guest, addresses: dict[UUID, set[str]]) -> GuestView:
    nics = tuple(
        NicView(mac=nic.mac, bridge=nic.network.bridge, addresses=frozenset(addresses.get(nic.pk, ())))
        for nic in guest.nics.all()
    )
    return GuestView(
        id=guest.pk,
        name=guest.name,
        customer_id=guest.customer_id,
        lifecycle=guest.lifecycle,
        power_state=guest.power_state,
        seen_boot_id=guest.seen_boot_id,
        taken_over=bool(guest.domain_name),
        vcpus=guest.vcpus,
        memory_mib=guest.memory_mib,
        disk_gib=guest.disk_gib,
        nics=nics,
    )


def _volumes(host_id: UUID) -> tuple[VolumeView, ...]:
    rows = list(Volume.objects.filter(pool__host_id=host_id).select_related("pool"))
    living = set(
        Guest.objects.filter(pk__in=[row.owner_id for row in rows if row.owner_id])
        .exclude(lifecycle=Lifecycle.DELETED)
        .values_list("pk", flat=True)
    )
    return tuple(
        VolumeView(
            pool=row.pool.name,
            name=row.name,
            kind=row.kind,
            owner_id=row.owner_id,
            owner_lives=row.owner_id in living,
            left_alone=row.left_alone,
        )
        for row in rows
    )
