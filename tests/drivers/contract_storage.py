"""The driver contract's part about pools, volumes and seeds."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import (
    PoolSpec,
    SeedFiles,
    VolumeFormat,
    VolumeRef,
)
from panel.core.errors import (
    DriverError,
    StorageFullError,
    VolumeNotFoundError,
)
from panel.core.units import MIB
from tests.drivers.checks import QCOW2, RAW, NewDriver, NewVolume, data_file, given, sparse_file


class StorageContract:
    """Pools, volumes and seeds."""

    def test_ensuring_a_pool_again_changes_nothing(self, driver: HypervisorDriver, pool: PoolSpec):
        info = driver.pool_ensure(pool)

        assert info.name == pool.name
        assert 0 <= info.available_bytes <= info.capacity_bytes
        assert 0 <= info.allocation_bytes <= info.capacity_bytes
        assert driver.pool_info(pool.name).capacity_bytes == info.capacity_bytes

    def test_removing_a_pool_keeps_its_files(self, driver: HypervisorDriver, spare_pool: PoolSpec | None):
        pool = given(spare_pool, "spare_pool")
        driver.pool_ensure(pool)
        volume = VolumeRef(pool.name, "kept")
        info = driver.volume_create(volume, format=RAW, capacity_bytes=MIB)
        driver.pool_remove(pool.name)
        driver.pool_remove(pool.name)
        with pytest.raises(VolumeNotFoundError):
            driver.pool_info(pool.name)

        driver.pool_ensure(pool)

        assert driver.volume_list(pool.name) == [info]
        driver.volume_delete(volume)
        driver.pool_remove(pool.name)

    def test_a_pool_ensured_by_many_at_once_is_there_for_all(
        self, driver: HypervisorDriver, new_driver: NewDriver | None, spare_pool: PoolSpec | None
    ):
        """As the first servers of a fresh host do, each in a worker of its own."""
        pool, drivers = given(spare_pool, "spare_pool"), [given(new_driver, "new_driver")() for _ in range(8)]
        together = threading.Barrier(len(drivers))

        def ensure(one: HypervisorDriver) -> str:
            one.load()  # connected
            together.wait(timeout=60)
            return one.pool_ensure(pool).name

        with ThreadPoolExecutor(len(drivers)) as threads:
            assert set(threads.map(ensure, drivers)) == {pool.name}
        for one in drivers:
            one.close()
        assert driver.volume_list(pool.name) == []
        driver.pool_remove(pool.name)

    def test_nothing_is_found_in_a_missing_pool(
        self, driver: HypervisorDriver, root_image: VolumeRef, tmp_path: Path, seed: SeedFiles
    ):
        missing = VolumeRef("contract-no-such-pool", "volume")
        calls: list[Callable[[], object]] = [
            lambda: driver.pool_info(missing.pool),
            lambda: driver.volume_list(missing.pool),
            lambda: driver.volume_info(missing),
            lambda: driver.volume_create(missing, format=RAW, capacity_bytes=MIB),
            lambda: driver.volume_clone(missing, source=root_image, capacity_bytes=MIB),
            lambda: driver.volume_upload(missing, source=sparse_file(tmp_path, MIB), format=RAW),
            lambda: driver.volume_resize(missing, capacity_bytes=MIB),
            lambda: driver.seed_write(missing, seed),
        ]
        for call in calls:
            with pytest.raises(VolumeNotFoundError):
                call()

    def test_created_volumes_are_thin_and_listed_by_name(
        self, driver: HypervisorDriver, pool: PoolSpec, new_volume: NewVolume
    ):
        volumes = [new_volume() for _ in range(3)]
        for volume, kind in zip(volumes, (RAW, QCOW2, RAW), strict=True):
            made = driver.volume_create(volume, format=kind, capacity_bytes=64 * MIB)

            assert (made.ref, made.format, made.capacity_bytes) == (volume, kind, 64 * MIB)
            assert made.allocation_bytes < 2 * MIB
            assert driver.volume_info(volume) == made
        listed = [info.ref for info in driver.volume_list(pool.name)]
        assert listed == sorted(listed)
        assert [ref for ref in listed if ref in volumes] == sorted(volumes)

    def test_creating_a_volume_again_succeeds_and_another_shape_is_refused(
        self, driver: HypervisorDriver, new_volume: NewVolume, root_image: VolumeRef
    ):
        volume = new_volume()
        made = driver.volume_create(volume, format=QCOW2, capacity_bytes=64 * MIB)

        assert driver.volume_create(volume, format=QCOW2, capacity_bytes=64 * MIB) == made
        with pytest.raises(DriverError):
            driver.volume_create(volume, format=QCOW2, capacity_bytes=65 * MIB)
        with pytest.raises(DriverError):
            driver.volume_create(volume, format=RAW, capacity_bytes=64 * MIB)
        with pytest.raises(DriverError):
            driver.volume_create(
                volume,
                format=QCOW2,
                capacity_bytes=64 * MIB,
                backing=root_image,
                backing_format=driver.volume_info(root_image).format,
            )
        assert driver.volume_info(volume) == made

    def test_an_overlay_is_thin_and_can_be_larger_than_its_image(
        self, driver: HypervisorDriver, new_volume: NewVolume, root_image: VolumeRef
    ):
        image, volume = driver.volume_info(root_image), new_volume()
        capacity = image.capacity_bytes + 64 * MIB

        made = driver.volume_create(
            volume, format=QCOW2, capacity_bytes=capacity, backing=root_image, backing_format=image.format
        )

        assert (made.format, made.capacity_bytes) == (QCOW2, capacity)
        assert made.allocation_bytes < 2 * MIB
        assert driver.volume_info(root_image) == image
        again = driver.volume_create(
            volume, format=QCOW2, capacity_bytes=capacity, backing=root_image, backing_format=image.format
        )
        assert again == made

    def test_what_is_made_from_a_missing_volume_is_refused_and_not_there(
        self, driver: HypervisorDriver, new_volume: NewVolume
    ):
        missing, volume = new_volume(), new_volume()
        with pytest.raises(VolumeNotFoundError):
            driver.volume_create(
                volume, format=QCOW2, capacity_bytes=MIB, backing=missing, backing_format=VolumeFormat.QCOW2
            )
        with pytest.raises(VolumeNotFoundError):
            driver.volume_clone(volume, source=missing, capacity_bytes=MIB)
        with pytest.raises(VolumeNotFoundError):
            driver.volume_info(volume)

    def test_a_clone_is_a_full_copy_of_the_same_format(
        self, driver: HypervisorDriver, new_volume: NewVolume, tmp_path: Path
    ):
        source, copy, grown = new_volume(), new_volume(), new_volume()
        original = driver.volume_upload(source, source=data_file(tmp_path, MIB), format=RAW)

        told: list[tuple[int, int]] = []
        same = driver.volume_clone(copy, source=source, capacity_bytes=1, progress=lambda *bytes: told.append(bytes))
        larger = driver.volume_clone(grown, source=source, capacity_bytes=8 * MIB)

        assert (same.format, same.capacity_bytes) == (original.format, original.capacity_bytes)
        assert (larger.format, larger.capacity_bytes) == (original.format, 8 * MIB)
        assert same.allocation_bytes >= MIB
        assert told[-1][0] == told[-1][1] >= MIB
        assert driver.volume_clone(grown, source=source, capacity_bytes=8 * MIB) == larger
        with pytest.raises(DriverError):
            driver.volume_clone(grown, source=source, capacity_bytes=9 * MIB)
        assert driver.volume_info(grown) == larger
        driver.volume_delete(source)
        assert driver.volume_info(copy) == same

    def test_a_half_made_volume_is_replaced(
        self,
        driver: HypervisorDriver,
        new_volume: NewVolume,
        half_made: Callable[[VolumeRef], None] | None,
        tmp_path: Path,
    ):
        leave_half_made = given(half_made, "half_made")
        source, cloned, uploaded = new_volume(), new_volume(), new_volume()
        file = data_file(tmp_path, MIB)
        original = driver.volume_upload(source, source=file, format=RAW)
        leave_half_made(cloned)
        leave_half_made(uploaded)

        clone = driver.volume_clone(cloned, source=source, capacity_bytes=2 * MIB)
        upload = driver.volume_upload(uploaded, source=file, format=RAW)

        assert (clone.format, clone.capacity_bytes) == (RAW, 2 * MIB)
        assert clone.allocation_bytes >= MIB
        assert (upload.format, upload.capacity_bytes) == (RAW, original.capacity_bytes)
        assert driver.volume_info(cloned) == clone

    def test_an_upload_is_sparse_where_its_file_is_and_may_be_repeated(
        self, driver: HypervisorDriver, new_volume: NewVolume, tmp_path: Path
    ):
        volume, file = new_volume(), sparse_file(tmp_path, 64 * MIB)

        told: list[tuple[int, int]] = []

        made = driver.volume_upload(volume, source=file, format=RAW, progress=lambda *bytes: told.append(bytes))

        assert told == sorted(told)
        assert 0 < told[-1][0] == told[-1][1] < 8 * MIB
        assert (made.ref, made.format, made.capacity_bytes) == (volume, RAW, 64 * MIB)
        assert made.allocation_bytes < 8 * MIB
        assert driver.volume_upload(volume, source=file, format=RAW).capacity_bytes == 64 * MIB

    def test_a_full_pool_refuses_and_keeps_nothing(
        self, driver: HypervisorDriver, new_volume: NewVolume, small_pool: PoolSpec | None, tmp_path: Path
    ):
        pool, large = given(small_pool, "small_pool"), new_volume()
        file = data_file(tmp_path, 32 * MIB)
        driver.volume_upload(large, source=file, format=RAW)
        before = driver.pool_info(pool.name)
        volume = VolumeRef(pool.name, "too-large")

        with pytest.raises(StorageFullError):
            driver.volume_upload(volume, source=file, format=RAW)
        with pytest.raises(StorageFullError):
            driver.volume_clone(volume, source=large, capacity_bytes=32 * MIB)

        assert driver.volume_list(pool.name) == []
        assert driver.pool_info(pool.name).available_bytes >= before.available_bytes - MIB

    def test_a_volume_grows_and_never_shrinks(self, driver: HypervisorDriver, new_volume: NewVolume):
        for kind in (RAW, QCOW2):
            volume = new_volume()
            driver.volume_create(volume, format=kind, capacity_bytes=8 * MIB)
            driver.volume_resize(volume, capacity_bytes=16 * MIB)
            driver.volume_resize(volume, capacity_bytes=16 * MIB)
            with pytest.raises(DriverError):
                driver.volume_resize(volume, capacity_bytes=8 * MIB)
            assert driver.volume_info(volume).capacity_bytes == 16 * MIB
        with pytest.raises(VolumeNotFoundError):
            driver.volume_resize(new_volume(), capacity_bytes=MIB)

    def test_a_deleted_volume_is_gone(self, driver: HypervisorDriver, pool: PoolSpec, new_volume: NewVolume):
        volume = new_volume()
        driver.volume_create(volume, format=RAW, capacity_bytes=MIB)
        driver.volume_delete(volume)
        driver.volume_delete(volume)

        assert volume not in [info.ref for info in driver.volume_list(pool.name)]
        with pytest.raises(VolumeNotFoundError):
            driver.volume_info(volume)

    def test_a_seed_is_created_and_replaced(self, driver: HypervisorDriver, new_volume: NewVolume, seed: SeedFiles):
        volume = new_volume()
        driver.seed_write(volume, seed)
        first = driver.volume_info(volume)
        driver.seed_write(volume, replace(seed, files={**seed.files, "user-data": b"#" * 60_000}))

        assert first.format is RAW
        assert 0 < first.capacity_bytes <= driver.volume_info(volume).capacity_bytes
