"""The storage calls of a simulated host: pools are names on directories, volumes records in them."""

from hosts.drivers.simulated.host import SimulatedHost
from hosts.drivers.simulated.state import Directory, VolumeRecord
from hosts.drivers.types import PoolInfo, PoolSpec, SeedFiles, VolumeFormat, VolumeInfo, VolumeRef
from panel.core.errors import DriverError, StorageFullError, VolumeNotFoundError
from panel.core.units import KIB, MIB

EMPTY_QCOW2_BYTES = 196 * KIB  # what qemu-img makes of an empty qcow2


class StorageCalls:
    """Answers the storage part of the driver contract for one host. The host's types share its storage."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self._state = host.state

    def pool_ensure(self, *, pool: PoolSpec) -> PoolInfo:
        """Put a pool on a directory; the directory may have files from an earlier pool."""
        known_path = self._state.pools.get(pool.name, pool.path)
        if known_path != pool.path:
            raise DriverError(detail=f"pool {pool.name} is on {known_path}")
        if pool.path not in self._state.directories:
            capacity = self._state.pool_capacity_bytes.get(pool.name)
            self._state.directories[pool.path] = Directory() if capacity is None else Directory(capacity_bytes=capacity)
        self._state.pools[pool.name] = pool.path
        return self.pool_info(pool=pool.name)

    def pool_info(self, *, pool: str) -> PoolInfo:
        """Return a pool's fill."""
        directory = self._directory(pool)
        return PoolInfo(
            name=pool,
            capacity_bytes=directory.capacity_bytes,
            allocation_bytes=directory.allocation_bytes,
            available_bytes=directory.available_bytes,
        )

    def pool_remove(self, *, pool: str) -> None:
        """Take the pool's name away; the directory keeps its files."""
        self._state.pools.pop(pool, None)

    def volume_list(self, *, pool: str) -> list[VolumeInfo]:
        """List what is complete."""
        volumes = self._directory(pool).volumes
        return [self._info(VolumeRef(pool, name), volumes[name]) for name in sorted(volumes) if volumes[name].complete]

    def volume_info(self, *, volume: VolumeRef) -> VolumeInfo:
        """Return a complete volume."""
        return self._info(volume, self.volume(volume))

    def volume_create(
        self,
        *,
        volume: VolumeRef,
        format: VolumeFormat,
        capacity_bytes: int,
        backing: VolumeRef | None,
        backing_format: VolumeFormat | None,
    ) -> VolumeInfo:
        """Make an empty volume or an overlay."""
        if backing is not None:
            self._check_backing(backing, format=format, backing_format=backing_format)
        existing = self._complete(volume)
        if existing is not None:
            if (existing.format, existing.capacity_bytes, existing.backing) != (format, capacity_bytes, backing):
                raise DriverError(detail=f"volume {volume.pool}/{volume.name} is there with another shape")
            return self._info(volume, existing)
        allocation = EMPTY_QCOW2_BYTES if format is VolumeFormat.QCOW2 else 0
        made = VolumeRecord(format=format, capacity_bytes=capacity_bytes, allocation_bytes=allocation, backing=backing)
        return self._store(volume, made)

    def volume_clone(self, *, volume: VolumeRef, source: VolumeRef, capacity_bytes: int) -> VolumeInfo:
        """Copy a volume; one that is complete already stays as it is."""
        original = self.volume(source)
        capacity_bytes = max(capacity_bytes, original.capacity_bytes)
        existing = self._complete(volume)
        if existing is not None:
            if (existing.format, existing.capacity_bytes) != (original.format, capacity_bytes):
                raise DriverError(detail=f"volume {volume.pool}/{volume.name} is there with another shape")
            return self._info(volume, existing)
        made = VolumeRecord(
            format=original.format,
            capacity_bytes=capacity_bytes,
            allocation_bytes=original.allocation_bytes,
            backing=original.backing,
            origin=f"clone of {source.pool}/{source.name}",
        )
        return self._store(volume, made)

    def volume_upload(
        self, *, volume: VolumeRef, format: VolumeFormat, capacity_bytes: int, allocation_bytes: int, origin: str
    ) -> VolumeInfo:
        """Take a file whose sizes the client has read; its bytes do not travel."""
        made = VolumeRecord(
            format=format,
            capacity_bytes=capacity_bytes,
            allocation_bytes=allocation_bytes,
            origin=f"upload of {origin}",
        )
        return self._store(volume, made)

    def volume_resize(self, *, volume: VolumeRef, capacity_bytes: int) -> None:
        """Grow a volume."""
        record = self.volume(volume)
        if capacity_bytes < record.capacity_bytes:
            raise DriverError(detail=f"volume {volume.pool}/{volume.name} would shrink")
        record.capacity_bytes = capacity_bytes

    def volume_delete(self, *, volume: VolumeRef) -> None:
        """Delete a volume, also a half-made one."""
        path = self._state.pools.get(volume.pool)
        if path is not None:
            self._state.directories[path].volumes.pop(volume.name, None)

    def seed_write(self, *, volume: VolumeRef, seed: SeedFiles) -> None:
        """Keep the seed's files themselves, so that tests can read what a guest would."""
        size = MIB + sum(len(content) for content in seed.files.values())
        made = VolumeRecord(
            format=VolumeFormat.RAW, capacity_bytes=size, allocation_bytes=size, origin="seed", seed=seed
        )
        self._store(volume, made)

    def volume(self, volume: VolumeRef) -> VolumeRecord:
        """Return a complete volume's record."""
        record = self._complete(volume)
        if record is None:
            raise VolumeNotFoundError(detail=f"no volume {volume.pool}/{volume.name}")
        return record

    def leave_half_made(self, volume: VolumeRef, *, allocation_bytes: int = MIB) -> None:
        """Leave what an interrupted copy leaves. A complete volume of the name stays."""
        if self._complete(volume) is None:
            half = VolumeRecord(
                format=VolumeFormat.RAW, capacity_bytes=0, allocation_bytes=allocation_bytes, complete=False
            )
            self._directory(volume.pool).volumes[volume.name] = half

    def _directory(self, pool: str) -> Directory:
        path = self._state.pools.get(pool)
        if path is None:
            raise VolumeNotFoundError(detail=f"no pool {pool}")
        return self._state.directories[path]

    def _complete(self, volume: VolumeRef) -> VolumeRecord | None:
        record = self._directory(volume.pool).volumes.get(volume.name)
        return record if record is not None and record.complete else None

    def _check_backing(self, backing: VolumeRef, *, format: VolumeFormat, backing_format: VolumeFormat | None) -> None:
        if format is not VolumeFormat.QCOW2:
            raise DriverError(detail="only a qcow2 volume can have a backing volume")
        if self.volume(backing).format is not backing_format:
            raise DriverError(detail=f"backing volume {backing.pool}/{backing.name} is not {backing_format}")

    def _store(self, volume: VolumeRef, made: VolumeRecord) -> VolumeInfo:
        """Put a volume in place of what has its name, or fail with the old one untouched."""
        directory = self._directory(volume.pool)
        replaced = directory.volumes.get(volume.name)
        freed = 0 if replaced is None else replaced.allocation_bytes
        if made.allocation_bytes > directory.capacity_bytes - directory.allocation_bytes + freed:
            raise StorageFullError(detail=f"pool {volume.pool} has {directory.available_bytes} bytes left")
        directory.volumes[volume.name] = made
        return self._info(volume, made)

    def _info(self, volume: VolumeRef, record: VolumeRecord) -> VolumeInfo:
        return VolumeInfo(
            ref=volume,
            format=record.format,
            capacity_bytes=record.capacity_bytes,
            allocation_bytes=record.allocation_bytes,
            backing_path="" if record.backing is None else self._state.path_of(record.backing),
        )
