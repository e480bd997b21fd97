"""Changing a stopped guest's size."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from hosts.services.capacity import host_give_back, host_take, pool_give_back, pool_take
from panel.core.actors import Actor
from panel.core.errors import CapacityError, InvalidInputError
from panel.core.models import Job
from vms.models import Guest
from vms.services.actions import guest_action_submit
from vms.services.allocation import amounts, quota_give_back, quota_take
from vms.states import GuestAction

_LIMITS = ("bandwidth_mbit_per_s", "max_processes", "notice")


@transaction.atomic
def guest_resize(
    *,
    actor: Actor,
    guest: Guest,
    vcpus: int,
    memory_mib: int,
    disk_gib: int,
    plan_slug: str = "",
    limits: Mapping[str, Any] | None = None,
) -> Job:
    """Take the new size at once (quota, host, pool) and submit the job that applies it. Disks only grow.

    ``limits`` may change bandwidth_mbit_per_s, max_processes and the notice about them. A failed job puts
    everything back.

    Raises:
        InvalidInputError: the disk would shrink.
        InvalidStateError: it is not stopped.
        QuotaExceededError, CapacityError: nothing was changed.
    """
    if disk_gib < guest.disk_gib:
        raise InvalidInputError(fields={"disk_gib": f"A disk cannot shrink: this server has {guest.disk_gib} GiB."})
    after = {"vcpus": vcpus, "memory_mib": memory_mib, "disk_gib": disk_gib, "plan_slug": plan_slug}
    after |= {name: value for name, value in (limits or {}).items() if name in _LIMITS}
    before = {name: getattr(guest, name) for name in after}
    job = guest_action_submit(actor=actor, guest=guest, action=GuestAction.RESIZE, params={"before": before})
    locked = Guest.objects.select_related("host", "pool", "customer").get(pk=guest.pk)
    more = {"vcpus": vcpus - locked.vcpus, "memory_mib": memory_mib - locked.memory_mib}
    more_disk = disk_gib - locked.disk_gib
    quota_take(customer=locked.customer, wanted=amounts(**more, disk_gib=more_disk, guests=0, addresses=0))
    if locked.host is None or locked.pool is None:
        raise CapacityError("The server has no host.")
    host_give_back(host=locked.host, vcpus=locked.vcpus, memory_mib=locked.memory_mib)
    if not host_take(host=locked.host, vcpus=vcpus, memory_mib=memory_mib):
        raise CapacityError("The server's host has not enough room for this size.")
    if not pool_take(pool=locked.pool, disk_gib=more_disk):
        raise CapacityError("The server's storage pool has not enough room for this disk.")
    Guest.objects.filter(pk=guest.pk).update(**after)
    locked.disks.filter(index=0).update(size_gib=disk_gib)
    return job


def resize_revert(*, guest: Guest, before: dict[str, Any]) -> None:
    """Put a failed resize's numbers back: quota, host and pool. Called in the transaction that closes the job.

    A disk that has grown already stays larger than sold; the next resize takes it from there.
    """
    wanted = amounts(
        vcpus=before["vcpus"] - guest.vcpus,
        memory_mib=before["memory_mib"] - guest.memory_mib,
        disk_gib=before["disk_gib"] - guest.disk_gib,
        guests=0,
        addresses=0,
    )
    quota_give_back(customer=guest.customer, wanted={name: -amount for name, amount in wanted.items()})
    if guest.host is not None and guest.pool is not None:
        host_give_back(
            host=guest.host, vcpus=guest.vcpus - before["vcpus"], memory_mib=guest.memory_mib - before["memory_mib"]
        )
        pool_give_back(pool=guest.pool, disk_gib=guest.disk_gib - before["disk_gib"])
    Guest.objects.filter(pk=guest.pk).update(**before)
    guest.disks.filter(index=0).update(size_gib=before["disk_gib"])
