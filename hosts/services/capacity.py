"""Selling and giving back a host's and a pool's room, by guarded UPDATEs: never above the limit."""

from uuid import UUID

from django.db.models import F

from hosts.models import Host, StoragePool
from panel.core import events


def host_take(*, host: Host, vcpus: int, memory_mib: int) -> bool:
    """Take room on a host; False when it has not enough left."""
    taken = Host.objects.filter(
        pk=host.pk, limit_vcpus__gte=F("used_vcpus") + vcpus, limit_memory_mib__gte=F("used_memory_mib") + memory_mib
    ).update(used_vcpus=F("used_vcpus") + vcpus, used_memory_mib=F("used_memory_mib") + memory_mib)
    return _told(host.pk, taken)


def host_give_back(*, host: Host, vcpus: int, memory_mib: int) -> None:
    """Give room on a host back."""
    given = Host.objects.filter(pk=host.pk).update(
        used_vcpus=F("used_vcpus") - vcpus, used_memory_mib=F("used_memory_mib") - memory_mib
    )
    _told(host.pk, given)


def pool_take(*, pool: StoragePool, disk_gib: int) -> bool:
    """Take room in a pool; False when it has not enough left."""
    taken = StoragePool.objects.filter(pk=pool.pk, limit_gib__gte=F("used_gib") + disk_gib).update(
        used_gib=F("used_gib") + disk_gib
    )
    return _told(pool.host_id, taken)


def pool_give_back(*, pool: StoragePool, disk_gib: int) -> None:
    """Give room in a pool back."""
    _told(pool.host_id, StoragePool.objects.filter(pk=pool.pk).update(used_gib=F("used_gib") - disk_gib))


def pools_left_alone(*, host_id: UUID) -> None:
    """Leave the directories alone where only disks were that were taken over, and are none any more.

    Their host may be rid of them; whatever is taken over from there makes a pool of it again.
    """
    pools = StoragePool.objects.managed().filter(host_id=host_id, for_new_guests=False, volumes=None)
    _told(host_id, pools.update(left_alone=True))


def _told(host_id: UUID, rows: int) -> bool:
    if rows:
        events.publish("host", host_id)
    return bool(rows)
