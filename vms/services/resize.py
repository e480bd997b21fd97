"""Changing a stopped guest's size."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from hosts.services.capacity import host_give_back, host_take, pool_give_back, pool_take
from panel.core.actors import Actor
from panel.core.errors import CapacityError, InvalidInputError
from panel.core.models import Job
from vms.models import Guest
from vms.selectors import root_left_alone
from vms.services.actions import guest_action_submit, guest_locked
from vms.services.allocation import amounts, quota_give_back, quota_take
from vms.services.validation import size_errors
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

    Of ``limits`` bandwidth_mbit_per_s, max_processes and the notice about them count. What the guest no longer
    needs is given back when the job has succeeded, so that a failed one can always put the old size back.

    Raises:
        InvalidInputError: the disk would shrink, or what changes becomes less than the image needs.
        InvalidStateError: it is not stopped.
        QuotaExceededError, CapacityError: nothing was changed.
    """
    guest = guest_locked(guest)
    if limits and disk_gib > guest.disk_gib and root_left_alone(guest):
        disk_gib = guest.disk_gib  # a plan's disk is the most that it may have
    _check(guest, vcpus=vcpus, memory_mib=memory_mib, disk_gib=disk_gib)
    after = {"vcpus": vcpus, "memory_mib": memory_mib, "disk_gib": disk_gib, "plan_slug": plan_slug}
    after |= {name: value for name, value in (limits or {}).items() if name in _LIMITS}
    before = {name: getattr(guest, name) for name in after}
    # What somebody who tries again asks for: a failed job puts all numbers back.
    asked = {"plan": plan_slug} if limits else {"vcpus": vcpus, "memory_mib": memory_mib, "disk_gib": disk_gib}
    params = {"before": before, "asked": asked}
    job = guest_action_submit(actor=actor, guest=guest, action=GuestAction.RESIZE, params=params)
    locked = Guest.objects.select_related("host", "pool", "customer").get(pk=guest.pk)
    more = _growth(before, after)
    quota_take(customer=locked.customer, wanted=amounts(**more, guests=0, addresses=0))
    if locked.host is None or locked.pool is None:
        raise CapacityError("The server has no host.")
    if not host_take(host=locked.host, vcpus=more["vcpus"], memory_mib=more["memory_mib"]):
        raise CapacityError("The server's host has not enough room for this size.")
    if not pool_take(pool=locked.pool, disk_gib=more["disk_gib"]):
        raise CapacityError("The server's storage pool has not enough room for this disk.")
    Guest.objects.filter(pk=guest.pk).update(**after)
    _root_resized(locked, disk_gib)
    return job


def _check(guest: Guest, **size: int) -> None:
    errors = size_errors(guest.image, **size)
    errors = {name: message for name, message in errors.items() if size[name] != getattr(guest, name)}
    if size["disk_gib"] > guest.disk_gib and root_left_alone(guest):
        errors["disk_gib"] = "This server's disk is its host's own, which the panel does not grow."
    if size["disk_gib"] < guest.disk_gib:
        errors["disk_gib"] = f"A disk cannot shrink: this server has {guest.disk_gib} GiB."
    if errors:
        raise InvalidInputError(fields=errors)


def _growth(smaller: Mapping[str, Any], larger: Mapping[str, Any]) -> dict[str, int]:
    """Return how much more the second size has than the first; 0 where it has less."""
    return {name: max(0, larger[name] - smaller[name]) for name in ("vcpus", "memory_mib", "disk_gib")}


def resize_settle(*, guest: Guest, before: Mapping[str, Any]) -> None:
    """Give back what a smaller guest no longer needs. Called in the transaction that closes its job."""
    _give_back(guest, _growth(_size(guest), before))


def resize_revert(*, guest: Guest, before: dict[str, Any]) -> None:
    """Put a failed resize's numbers back and return what it had taken. Called in the transaction that closes the job.

    A disk that has grown already stays larger than sold; the next resize takes it from there.
    """
    _give_back(guest, _growth(before, _size(guest)))
    Guest.objects.filter(pk=guest.pk).update(**before)
    _root_resized(guest, before["disk_gib"])


def _root_resized(guest: Guest, disk_gib: int) -> None:
    """Of a guest with several disks the first one grows."""
    others_gib = sum(guest.disks.filter(index__gt=0).values_list("size_gib", flat=True))
    guest.disks.filter(index=0).update(size_gib=disk_gib - others_gib)


def _size(guest: Guest) -> dict[str, int]:
    return {"vcpus": guest.vcpus, "memory_mib": guest.memory_mib, "disk_gib": guest.disk_gib}


def _give_back(guest: Guest, room: dict[str, int]) -> None:
    quota_give_back(customer=guest.customer, wanted=amounts(**room, guests=0, addresses=0))
    if guest.host is not None and guest.pool is not None:
        host_give_back(host=guest.host, vcpus=room["vcpus"], memory_mib=room["memory_mib"])
        pool_give_back(pool=guest.pool, disk_gib=room["disk_gib"])
