"""Volumes that the panel knows against those on a host. Pure."""

import re
from collections.abc import Iterator, Mapping, Set

from hosts.drivers.types import VolumeInfo, VolumeRef
from vms.models import DifferenceKind, Severity
from vms.services.file_needs import is_named
from vms.services.reconcile.guest_checks import PROOF
from vms.services.reconcile.snapshots import Finding, HostView, NotAll, PanelView, VolumeView, key_of

# In the directories of what was taken over, files that the panel neither knows nor has made are others'. By these names
# a panel that was restored knows what it had made since.
_OF_THE_PANEL = re.compile(r"(guest-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-|image-[0-9a-f]{24}\.)")


def volume_checks(panel: PanelView, host: HostView) -> Iterator[Finding | NotAll]:
    """Volumes without an owner, and volumes that are not there. What a domain uses is that domain's difference.

    Which volumes have no owner is not said before all hypervisors of the host have been compared once.
    """
    if host.volumes is None:
        return
    for pool in host.volumes:
        yield from _missing(panel, pool, {volume.ref.name for volume in host.volumes[pool]})
    if panel.used_elsewhere is None:
        yield NotAll(kind=DifferenceKind.VOLUME_WITHOUT_OWNER)
    else:
        yield from _ownerless(panel, host, host.volumes, panel.used_elsewhere)


def _ownerless(
    panel: PanelView, host: HostView, listed: Mapping[str, tuple[VolumeInfo, ...]], used_elsewhere: Set[VolumeRef]
) -> Iterator[Finding]:
    used = {disk.volume for domain in host.domains for disk in domain.disks if disk.volume is not None}
    used |= used_elsewhere
    named = {path for domain in host.domains for path in domain.files}
    known = {(one.pool, one.name): one for one in panel.volumes}
    overlays = _overlays(host)
    for pool, volumes in listed.items():
        for volume in volumes:
            name = volume.ref.name
            row = known.get((pool, name))
            busy = any(str(guest_id) in name for guest_id in panel.busy)
            if busy or name in panel.image_names or (row is not None and row.owner_lives):
                continue
            path = f"{panel.pool_paths[pool].rstrip('/')}/{name}"
            if row is None and pool in panel.found_pools and not _OF_THE_PANEL.match(name):
                continue
            if volume.ref not in used and not is_named(path, named):
                yield Finding(
                    kind=DifferenceKind.VOLUME_WITHOUT_OWNER,
                    severity=Severity.LOW,
                    key=key_of("volume", panel.host_id, pool, name),
                    label=name,
                    object_type="volume",
                    host_id=panel.host_id,
                    host_type=panel.host_type,
                    expected={"owner": row.owner_id if row is not None else None},
                    found={
                        "pool": pool,
                        "name": name,
                        "format": volume.format,
                        "capacity_bytes": volume.capacity_bytes,
                        **_needed_by(overlays.get(path)),
                    },
                )


def _overlays(host: HostView) -> dict[str, str]:
    """Return the name of an overlay for each file that has one, the first by name."""
    volumes = [one for volumes in (host.volumes or {}).values() for one in volumes if one.backing_path]
    return {one.backing_path: one.ref.name for one in sorted(volumes, key=lambda one: one.ref.name, reverse=True)}


def _needed_by(overlay: str | None) -> dict[str, str]:
    return {} if overlay is None else {"overlay": overlay}


def _missing(panel: PanelView, pool: str, there: set[str]) -> Iterator[Finding]:
    """Known volumes that are not listed. A listing of nothing proves nothing of each: the pool may not be mounted."""
    rows = [row for row in panel.volumes if row.pool == pool and not row.left_alone]
    used = [row for row in rows if row.owner_lives and row.owner_id not in panel.busy]
    if used and not there:
        yield Finding(
            kind=DifferenceKind.POOL_LOST_VOLUMES,
            severity=Severity.HIGH,
            key=key_of("pool-lost-volumes", panel.host_id, pool),
            label=pool,
            object_type="pool",
            host_id=panel.host_id,
            host_type=panel.host_type,
            expected={"volumes": len(used)},
            found={"volumes": 0, "path": panel.pool_paths[pool]},
        )
    guests = {guest.id: guest for guest in panel.guests}
    for row in rows:
        if row.name in there or row.owner_id in panel.busy:
            continue
        guest = guests.get(row.owner_id) if row.owner_id is not None else None
        if row.owner_lives and guest is None:  # of the host's other hypervisor, or still being built
            continue
        yield Finding(
            kind=DifferenceKind.VOLUME_MISSING,
            severity=_severity(row),
            key=key_of("volume-missing", panel.host_id, pool, row.name),
            label=row.name,
            object_type="guest" if guest is not None else "volume",
            object_id=row.owner_id if guest is not None else None,
            customer_id=guest.customer_id if guest is not None else None,
            host_id=panel.host_id,
            host_type=panel.host_type,
            expected={"pool": pool, "name": row.name, "kind": row.kind, "owner": row.owner_id if guest else None},
            proof=PROOF,
            proves=bool(there),
        )


def _severity(row: VolumeView) -> Severity:
    if not row.owner_lives:
        return Severity.LOW
    return Severity.MEDIUM if row.kind == "seed" else Severity.HIGH
