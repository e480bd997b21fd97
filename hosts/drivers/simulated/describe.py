"""What a simulated host says of its domains' configuration."""

from collections.abc import Iterator
from uuid import UUID

from hosts.drivers.descriptions import DiskDescription, DomainDescription, FileUse, NicDescription
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
        files=tuple(sorted(_files(record, state))),
    )


def _files(record: DomainRecord, state: HostState) -> Iterator[str]:
    """Name what it needs at its next start, and what it runs with."""
    if record.root_directory:
        yield record.root_directory
    named = set[VolumeRef]()
    for spec in (record.spec, record.found, record.live_spec):
        if spec is not None:
            named |= {disk.volume for disk in spec.disks} | ({spec.seed} if spec.seed is not None else set())
            named |= {spec.kernel.kernel, spec.kernel.initrd} if spec.kernel is not None else set()
    yield from {path for one in named for path in (state.path_of(one), *_below(_volume_of(one, state), state))}


def overlays(state: HostState) -> Iterator[FileUse]:
    """Say what the overlays in the host's pools are on."""
    for pool, directory in sorted(state.pools.items()):
        for name, volume in sorted(state.directories[directory].volumes.items()):
            if volume.backing is not None:
                by = state.path_of(VolumeRef(pool, name))
                yield FileUse(path=state.path_of(volume.backing), by=by, domain=None)


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
    path = state.directory_of(disk.volume.pool)
    pools = {place: name for name, place in state.pools.items()}
    volume = _volume_of(disk.volume, state)
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
        yield state.path_of(volume.backing)
        volume = _volume_of(volume.backing, state)


def _volume_of(volume: VolumeRef, state: HostState) -> VolumeRecord | None:
    directory = state.directories.get(state.directory_of(volume.pool))
    return directory.volumes.get(volume.name) if directory is not None else None


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
