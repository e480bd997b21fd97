"""Asking a host who needs its files, before one is deleted."""

import posixpath
from collections.abc import Callable, Collection
from uuid import UUID

from django.db.models import Q

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.descriptions import FileUse
from hosts.drivers.types import VolumeRef
from hosts.models import HostConnection, StoragePool
from vms.models import Difference, DifferenceKind, Guest
from vms.models.differences import LIVING
from vms.services.file_needs import needed
from vms.states import Lifecycle


def needed_volumes(
    volumes: Collection[VolumeRef],
    *,
    host_id: UUID,
    driver: Callable[[HostConnection], HypervisorDriver],
    but_of: UUID | None = None,
) -> dict[VolumeRef, FileUse]:
    """Return which of a host's volumes somebody needs, and one use of each: domains, whoever made them, and overlays.

    All hypervisors of the host are asked, on or off does not matter; ``but_of``: a domain that does not count.
    Raises: DriverError when one cannot be asked, or one of the host's pools cannot be read: who knows what is there.
    """
    pools = StoragePool.objects.filter(host_id=host_id)
    made = Q(for_new_guests=True) | Q(capacity_bytes__gt=0)  # others are about to be
    names = list(pools.managed().filter(made).order_by("name").values_list("name", flat=True))
    paths = dict(pools.values_list("name", "path"))
    by_path = {posixpath.normpath(posixpath.join(paths[one.pool], one.name)): one for one in volumes}
    uses: list[FileUse] = []
    for connection in HostConnection.objects.filter(host_id=host_id, enabled=True).order_by("host_type"):
        uses += driver(connection).file_uses(pools=names, files=sorted(by_path))
    others = [use for use in uses if use.domain is None or use.domain != but_of]
    return {by_path[path]: use for path, use in needed(by_path.keys(), others).items()}


def is_shared(host_id: UUID) -> bool:
    """True for a host on which the panel has not made all domains: there somebody may need what it made."""
    taken_over = Guest.objects.filter(host_id=host_id).exclude(lifecycle=Lifecycle.DELETED).exclude(domain_name="")
    foreign = Difference.objects.filter(kind=DifferenceKind.DOMAIN_WITHOUT_GUEST, host_id=host_id, state__in=LIVING)
    return taken_over.exists() or foreign.exists()
