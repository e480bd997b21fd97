"""What a simulated host says of its domains' configuration."""

from collections.abc import Iterator
from uuid import UUID

from hosts.drivers.descriptions import DiskDescription, DomainDescription, NicDescription
from hosts.drivers.simulated.state import DomainRecord, HostState, VolumeRecord
from hosts.drivers.types import DiskSpec, HostType, NicSpec, VolumeFormat, VolumeRef


def described(domain: UUID, record: DomainRecord, state: HostState) -> DomainDescription:
    """Describe a domain as it would be after its next start."""
    spec = record.spec or record.found
    kept = record.found if record.taken_over else None  # taking over leaves the devices as they are
    disks = () if spec is None else (kept or spec).disks
    if spec is not None and spec.seed is not None:
        disks += (DiskSpec(volume=spec.seed, format=VolumeFormat.RAW, read_only=True),)
    return DomainDescription(
        id=domain,
        domain_name=record.name,
        title="" if record.spec is None else record.spec.name,
        host_type=record.host_type,
        state=record.state,
        persistent=True,
        ours=record.spec is not None,
        taken_over=record.taken_over,
        owner="" if record.spec is None else record.spec.owner,
        vcpus=1 if spec is None else spec.vcpus,
        memory_mib=0 if spec is None else spec.memory_mib,
        user_namespace=record.user_namespace if record.host_type is HostType.LXC else None,
        disks=(*_directories(record), *(_disk(number, disk, state) for number, disk in enumerate(disks))),
        nics=() if spec is None else tuple(_nic(nic, record) for nic in spec.nics),
    )


def _directories(record: DomainRecord) -> Iterator[DiskDescription]:
    if record.root_directory:
        yield DiskDescription(
            target="/",
            kind="filesystem",
            source="directory",
            path=record.root_directory,
            format="raw",
            capacity_bytes=0,
            read_only=False,
            volume=None,
        )


def _disk(number: int, disk: DiskSpec, state: HostState) -> DiskDescription:
    somewhere = disk.volume.pool if disk.volume.pool.startswith("/") else ""  # a directory, of whichever pool
    path = state.pools.get(disk.volume.pool, somewhere)
    pools = {place: name for name, place in state.pools.items()}
    directory = state.directories.get(path)
    volume = directory.volumes.get(disk.volume.name) if directory is not None else None
    source = "network" if "://" in path else "block" if path.startswith("/dev/") else "file"
    return DiskDescription(
        target=f"vd{chr(97 + number)}",
        kind="disk",
        source=source,
        path=f"{path}/{disk.volume.name}",
        format=disk.format,
        capacity_bytes=0 if volume is None else volume.capacity_bytes,
        read_only=disk.read_only,
        volume=VolumeRef(pools[path], disk.volume.name) if source == "file" and path in pools else None,
        backing_paths=tuple(_below(volume, state)),
    )


def _below(volume: VolumeRecord | None, state: HostState) -> Iterator[str]:
    while volume is not None and volume.backing is not None:
        path = state.path_of(volume.backing)
        yield path
        directory = state.directories.get(state.pools.get(volume.backing.pool, ""))
        volume = directory.volumes.get(volume.backing.name) if directory is not None else None


def _nic(nic: NicSpec, record: DomainRecord) -> NicDescription:
    asked = record.spec is not None and nic.anti_spoofing
    return NicDescription(
        mac=nic.mac,
        bridge=nic.bridge,
        device=nic.device if record.active else "",
        anti_spoofing=asked,
        addresses=tuple(one.address for one in nic.addresses),
        guarded=(not record.unguarded) if asked and record.active else None,
    )
