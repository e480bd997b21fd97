"""Selling and giving back a host's and a pool's room, by guarded UPDATEs: never above the limit."""

from django.db.models import F

from hosts.models import Host, StoragePool


def host_take(*, host: Host, vcpus: int, memory_mib: int) -> bool:
    """Take room on a host; False when it has not enough left."""
    return bool(
        Host.objects.filter(
            pk=host.pk,
            limit_vcpus__gte=F("used_vcpus") + vcpus,
            limit_memory_mib__gte=F("used_memory_mib") + memory_mib,
        ).update(used_vcpus=F("used_vcpus") + vcpus, used_memory_mib=F("used_memory_mib") + memory_mib)
    )


def host_give_back(*, host: Host, vcpus: int, memory_mib: int) -> None:
    """Give room on a host back."""
    Host.objects.filter(pk=host.pk).update(
        used_vcpus=F("used_vcpus") - vcpus, used_memory_mib=F("used_memory_mib") - memory_mib
    )


def pool_take(*, pool: StoragePool, disk_gib: int) -> bool:
    """Take room in a pool; False when it has not enough left."""
    return bool(
        StoragePool.objects.filter(pk=pool.pk, limit_gib__gte=F("used_gib") + disk_gib).update(
            used_gib=F("used_gib") + disk_gib
        )
    )


def pool_give_back(*, pool: StoragePool, disk_gib: int) -> None:
    """Give room in a pool back."""
    StoragePool.objects.filter(pk=pool.pk).update(used_gib=F("used_gib") - disk_gib)
