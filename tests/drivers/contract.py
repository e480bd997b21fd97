"""The driver contract as tests, the same for simulated and for real hosts.

A test module subclasses ``DriverContract`` and gives the fixtures named in ``conftest``. Real guests are
emulated and slow, so only the tests that need an operating system wait for one.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import (
    Capability,
    DiskSpec,
    DomainInfo,
    DomainSpec,
    HostType,
    KernelSpec,
    NicSpec,
    PoolSpec,
    PowerState,
    SeedFiles,
    VolumeFormat,
    VolumeInfo,
    VolumeRef,
    domain_name,
)
from panel.core.errors import (
    CapabilityError,
    DomainNotFoundError,
    DriverError,
    HostUnreachableError,
    StorageFullError,
    VolumeNotFoundError,
)
from panel.core.units import MIB

QCOW2, RAW = VolumeFormat.QCOW2, VolumeFormat.RAW
NewVolume = Callable[[], VolumeRef]
MakeSpec = Callable[..., DomainSpec]
NewDriver = Callable[[], HypervisorDriver]
Value = TypeVar("Value")


class HostContract:
    """Facts, load, and the connection itself."""

    def test_facts_are_stable_and_name_every_capability(self, driver: HypervisorDriver):
        facts = driver.facts()

        assert facts.hostname
        assert facts.boot_id
        assert facts.cpus > 0
        assert facts.memory_mib > 0
        assert facts.hypervisor
        assert sorted(state.capability for state in facts.capabilities) == sorted(Capability)
        assert [state for state in facts.capabilities if not state.available and not state.reason] == []
        assert driver.facts() == facts

    def test_load_counts_upwards(self, driver: HypervisorDriver):
        before, after = driver.load(), driver.load()

        assert 0 <= before.cpu_busy_ns <= after.cpu_busy_ns
        assert 0 < before.cpu_total_ns <= after.cpu_total_ns
        assert after.cpu_busy_ns <= after.cpu_total_ns
        assert 0 < after.memory_used_mib <= after.memory_total_mib

    def test_a_host_that_is_not_there_is_unreachable(self, unreachable_driver: HypervisorDriver | None):
        if unreachable_driver is None:
            pytest.skip("no driver for an absent host")
        with pytest.raises(HostUnreachableError):
            unreachable_driver.facts()
        with pytest.raises(HostUnreachableError):
            unreachable_driver.domain_list()

    def test_close_is_final_and_may_be_repeated(self, new_driver: NewDriver | None):
        other = _given(new_driver)()
        other.load()
        other.close()
        other.close()

        with pytest.raises(HostUnreachableError):
            other.load()

    def test_close_releases_a_call_that_waits_in_another_thread(
        self, driver: HypervisorDriver, new_driver: NewDriver | None, make_spec: MakeSpec
    ):
        """A paused guest cannot follow, so its shutdown waits."""
        other, spec = _given(new_driver)(), make_spec()
        if not can(driver, Capability.PAUSE):
            pytest.skip("needs a guest that waits")
        driver.domain_define(spec)
        driver.domain_start(spec.id)
        driver.domain_pause(spec.id)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(other.domain_shutdown, spec.id, timeout_s=60)
            time.sleep(0.5)
            assert not waiting.done()
            other.close()
            with pytest.raises(HostUnreachableError):
                waiting.result(timeout=20)
        assert driver.domain_info(spec.id).state is PowerState.PAUSED

    def test_a_driver_finds_its_host_again_after_an_outage(
        self, driver: HypervisorDriver, make_spec: MakeSpec, outage: Callable[[], AbstractContextManager[None]] | None
    ):
        """What runs there goes on meanwhile."""
        during, spec = _given(outage), make_spec()
        driver.domain_define(spec)
        driver.domain_start(spec.id)
        with during():
            with pytest.raises(HostUnreachableError):
                driver.domain_info(spec.id)
            with pytest.raises(HostUnreachableError):
                driver.domain_list()
        wait_until(lambda: answers(driver), timeout_s=30)
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        driver.domain_destroy(spec.id)

    def test_several_threads_share_a_driver(self, driver: HypervisorDriver, new_volume: NewVolume):
        volumes = [new_volume() for _ in range(8)]
        together = threading.Barrier(len(volumes))

        def create(volume: VolumeRef) -> VolumeInfo:
            together.wait()
            driver.volume_create(volume, format=RAW, capacity_bytes=MIB)
            driver.domain_list()
            return driver.volume_info(volume)

        with ThreadPoolExecutor(len(volumes)) as pool:
            made = list(pool.map(create, volumes))
        assert [info.ref for info in made] == volumes

    def test_the_same_volume_created_twice_at_once_is_there_once(
        self, driver: HypervisorDriver, new_volume: NewVolume, pool: PoolSpec
    ):
        volume = new_volume()
        with ThreadPoolExecutor(2) as threads:
            calls = [
                threads.submit(driver.volume_create, volume, format=QCOW2, capacity_bytes=4 * MIB) for _ in range(2)
            ]
        assert calls[0].result() == calls[1].result() == driver.volume_info(volume)


class StorageContract:
    """Pools, volumes and seeds."""

    def test_ensuring_a_pool_again_changes_nothing(self, driver: HypervisorDriver, pool: PoolSpec):
        info = driver.pool_ensure(pool)

        assert info.name == pool.name
        assert 0 <= info.available_bytes <= info.capacity_bytes
        assert 0 <= info.allocation_bytes <= info.capacity_bytes
        assert driver.pool_info(pool.name).capacity_bytes == info.capacity_bytes

    def test_removing_a_pool_keeps_its_files(self, driver: HypervisorDriver, spare_pool: PoolSpec | None):
        pool = _given(spare_pool)
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

        same = driver.volume_clone(copy, source=source, capacity_bytes=1)
        larger = driver.volume_clone(grown, source=source, capacity_bytes=8 * MIB)

        assert (same.format, same.capacity_bytes) == (original.format, original.capacity_bytes)
        assert (larger.format, larger.capacity_bytes) == (original.format, 8 * MIB)
        assert same.allocation_bytes >= MIB
        assert driver.volume_clone(grown, source=source, capacity_bytes=8 * MIB) == larger
        driver.volume_delete(source)
        assert driver.volume_info(copy) == same

    def test_a_half_made_volume_is_replaced(
        self,
        driver: HypervisorDriver,
        new_volume: NewVolume,
        half_made: Callable[[VolumeRef], None] | None,
        tmp_path: Path,
    ):
        leave_half_made = _given(half_made)
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

        made = driver.volume_upload(volume, source=file, format=RAW)

        assert (made.ref, made.format, made.capacity_bytes) == (volume, RAW, 64 * MIB)
        assert made.allocation_bytes < 8 * MIB
        assert driver.volume_upload(volume, source=file, format=RAW).capacity_bytes == 64 * MIB

    def test_a_full_pool_refuses_and_keeps_nothing(
        self, driver: HypervisorDriver, new_volume: NewVolume, small_pool: PoolSpec | None, tmp_path: Path
    ):
        pool, large = _given(small_pool), new_volume()
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


class DomainContract:
    """Domains: configuration, power, and what is left behind."""

    def test_a_defined_domain_is_off_and_as_specified(self, driver: HypervisorDriver, make_spec: MakeSpec):
        spec = make_spec()
        driver.domain_define(spec)
        driver.domain_define(spec)

        info = driver.domain_info(spec.id)
        assert (info.id, info.domain_name) == (spec.id, domain_name(spec.id))
        assert (info.state, info.vcpus, info.memory_mib, info.ours) == (PowerState.SHUTOFF, 1, 256, True)
        assert listed(driver, spec.id) == [info]
        assert driver.domain_is_current(spec)
        assert driver.console_output(spec.id) == b""

    def test_defining_again_replaces_the_configuration(
        self, driver: HypervisorDriver, make_spec: MakeSpec, new_volume: NewVolume
    ):
        spec = make_spec()
        second_disk = DiskSpec(volume=new_volume(), format=RAW)
        driver.volume_create(second_disk.volume, format=RAW, capacity_bytes=MIB)
        driver.domain_define(spec)
        changes = [
            replace(spec, memory_mib=384),
            replace(spec, vcpus=2),
            replace(spec, name='renamed <&> "it\'s"'),
            replace(spec, labels={"purpose": "changed"}),
            replace(spec, owner=str(uuid.uuid4())),
            replace(spec, seed=None),
        ]
        if spec.host_type is not HostType.LXC:
            changes.append(replace(spec, disks=(*spec.disks, second_disk)))
        for changed in changes:
            assert not driver.domain_is_current(changed)
            driver.domain_define(changed)
            assert driver.domain_is_current(changed)
            assert not driver.domain_is_current(spec)
            driver.domain_define(spec)
        assert driver.domain_is_current(spec)

    @pytest.mark.parametrize("part", ["disks", "seed", "kernel"])
    def test_a_domain_with_a_missing_volume_is_not_defined(
        self, driver: HypervisorDriver, make_spec: MakeSpec, new_volume: NewVolume, part: str
    ):
        spec, missing = make_spec(), new_volume()
        if part == "disks":
            spec = replace(spec, disks=(replace(spec.disks[0], volume=missing),))
        elif part == "seed":
            spec = replace(spec, seed=missing)
        elif spec.host_type is HostType.LXC:
            pytest.skip("containers have no kernel of their own")
        else:
            spec = replace(spec, kernel=KernelSpec(kernel=missing, initrd=missing, arguments=""))

        with pytest.raises(VolumeNotFoundError):
            driver.domain_define(spec)

        assert_absent(driver, spec.id)

    def test_what_the_host_cannot_do_is_refused(
        self, driver: HypervisorDriver, make_spec: MakeSpec, bandwidth_nic: NicSpec | None
    ):
        spec = make_spec(nics=(_given(bandwidth_nic),))
        if can(driver, Capability.BANDWIDTH):
            driver.domain_define(spec)
            assert driver.domain_is_current(spec)
        else:
            with pytest.raises(CapabilityError):
                driver.domain_define(spec)
            assert_absent(driver, spec.id)

    def test_a_missing_domain_is_said_to_be_missing(self, driver: HypervisorDriver, make_spec: MakeSpec):
        spec = make_spec()
        calls: list[Callable[[], object]] = [
            lambda: driver.domain_start(spec.id),
            lambda: driver.domain_shutdown(spec.id, timeout_s=1),
            lambda: driver.domain_destroy(spec.id),
            lambda: driver.domain_reboot(spec.id, timeout_s=1),
            lambda: driver.domain_reset(spec.id),
            lambda: driver.domain_resume(spec.id),
            lambda: driver.domain_info(spec.id),
            lambda: driver.console_output(spec.id),
        ]
        if can(driver, Capability.PAUSE):
            calls.append(lambda: driver.domain_pause(spec.id))
        for call in calls:
            with pytest.raises(DomainNotFoundError):
                call()
        driver.domain_undefine(spec.id)
        assert not driver.domain_is_current(spec)
        assert_absent(driver, spec.id)

    def test_a_domain_that_is_off(self, driver: HypervisorDriver, make_spec: MakeSpec):
        spec = make_spec()
        driver.domain_define(spec)

        assert driver.domain_shutdown(spec.id, timeout_s=1) is True
        driver.domain_destroy(spec.id)
        with pytest.raises(DriverError):
            driver.domain_pause(spec.id)
        with pytest.raises(DriverError):
            driver.domain_resume(spec.id)
        assert driver.domain_info(spec.id).state is PowerState.SHUTOFF

    def test_undefining_leaves_only_the_volumes(self, driver: HypervisorDriver, make_spec: MakeSpec):
        spec = make_spec()
        driver.domain_define(spec)
        assert any(entry.startswith("domain ") for entry in driver.leftovers(spec.id))
        driver.domain_undefine(spec.id)
        driver.domain_undefine(spec.id)

        assert_absent(driver, spec.id)
        assert driver.volume_info(spec.disks[0].volume).ref == spec.disks[0].volume

    def test_a_domain_without_its_disk_does_not_start(self, driver: HypervisorDriver, make_spec: MakeSpec):
        spec = make_spec()
        driver.domain_define(spec)
        driver.volume_delete(spec.disks[0].volume)

        with pytest.raises(DriverError):
            driver.domain_start(spec.id)

        assert driver.domain_info(spec.id).state is PowerState.SHUTOFF
        driver.domain_undefine(spec.id)
        assert_absent(driver, spec.id)

    def test_foreign_domains_are_listed_and_marked(
        self, driver: HypervisorDriver, make_spec: MakeSpec, foreign_domain: UUID | None
    ):
        foreign, spec = _given(foreign_domain), make_spec()
        driver.domain_define(spec)

        ids = [info.id for info in driver.domain_list()]

        assert ids == sorted(ids)
        assert [info.ours for info in listed(driver, foreign)] == [False]
        assert [info.ours for info in listed(driver, spec.id)] == [True]

    def test_power_without_an_operating_system(
        self, driver: HypervisorDriver, make_spec: MakeSpec, new_driver: NewDriver | None, seed: SeedFiles
    ):
        """Start, what is refused while it runs, reset, destroy, and nothing left: in one run of the domain."""
        spec = make_spec()
        driver.domain_define(spec)
        driver.domain_start(spec.id)
        driver.domain_start(spec.id)
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        assert [info.state for info in listed(driver, spec.id)] == [PowerState.RUNNING]

        with pytest.raises(DriverError):
            driver.domain_undefine(spec.id)
        assert driver.domain_info(spec.id).state is PowerState.RUNNING

        changed = replace(spec, memory_mib=384)
        driver.domain_define(changed)
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        assert driver.domain_is_current(changed)
        assert spec.seed is not None
        driver.seed_write(spec.seed, seed)

        if new_driver is not None:
            other = new_driver()
            assert other.domain_info(spec.id).state is PowerState.RUNNING
            other.close()

        driver.domain_reset(spec.id)
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        assert driver.domain_info(spec.id).memory_mib == 384

        driver.domain_destroy(spec.id)
        driver.domain_destroy(spec.id)
        assert driver.domain_info(spec.id).state is PowerState.SHUTOFF
        assert driver.domain_shutdown(spec.id, timeout_s=1) is True

        driver.domain_reset(spec.id)
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        driver.domain_destroy(spec.id)
        driver.domain_undefine(spec.id)
        assert_absent(driver, spec.id)
        assert driver.volume_info(spec.seed).ref == spec.seed
        for volume in (spec.disks[0].volume, spec.seed):
            driver.volume_delete(volume)
            with pytest.raises(VolumeNotFoundError):
                driver.volume_info(volume)

    def test_pause_and_resume(self, driver: HypervisorDriver, make_spec: MakeSpec):
        spec = make_spec()
        driver.domain_define(spec)
        driver.domain_start(spec.id)
        driver.domain_resume(spec.id)
        if not can(driver, Capability.PAUSE):
            with pytest.raises(CapabilityError):
                driver.domain_pause(spec.id)
            assert driver.domain_info(spec.id).state is PowerState.RUNNING
            return
        driver.domain_pause(spec.id)
        driver.domain_pause(spec.id)
        assert driver.domain_info(spec.id).state is PowerState.PAUSED
        with pytest.raises(DriverError):
            driver.domain_undefine(spec.id)
        driver.domain_resume(spec.id)
        driver.domain_resume(spec.id)
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        driver.domain_pause(spec.id)
        driver.domain_destroy(spec.id)
        assert driver.domain_info(spec.id).state is PowerState.SHUTOFF

    def test_shutdown_never_lies_and_never_cuts_the_power(self, driver: HypervisorDriver, make_spec: MakeSpec):
        """A guest asked in its first moment may miss it; what counts is that the answer is true."""
        spec = make_spec()
        driver.domain_define(spec)
        driver.domain_start(spec.id)
        started = time.monotonic()

        went_off = driver.domain_shutdown(spec.id, timeout_s=1)

        state = driver.domain_info(spec.id).state
        assert time.monotonic() - started < 15
        if went_off:
            assert state is PowerState.SHUTOFF
        # A guest that was slow may have followed between the answer and the question.
        assert state in (PowerState.RUNNING, PowerState.SHUTOFF)

    def test_a_guest_boots_restarts_and_powers_off(
        self,
        driver: HypervisorDriver,
        make_spec: MakeSpec,
        boots: bool,
        boot_timeout_s: float,
        shutdown_timeout_s: float,
    ):
        if not boots:
            pytest.skip("the guest has no operating system")
        spec = make_spec()
        driver.domain_define(spec)
        assert driver.domain_reboot(spec.id, timeout_s=shutdown_timeout_s) is True  # of a domain that is off
        output = wait_for_ready(driver, spec.id, boot_timeout_s)
        assert host_keys(output)
        assert driver.console_output(spec.id, max_bytes=40) == driver.console_output(spec.id)[-40:]

        assert driver.domain_reboot(spec.id, timeout_s=shutdown_timeout_s) is True
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        after_reboot = wait_for_ready(driver, spec.id, boot_timeout_s)
        assert set(host_keys(after_reboot)) == set(host_keys(output))

        assert driver.domain_shutdown(spec.id, timeout_s=shutdown_timeout_s) is True
        assert driver.domain_info(spec.id).state is PowerState.SHUTOFF
        driver.domain_undefine(spec.id)
        assert_absent(driver, spec.id)


class DriverContract(HostContract, StorageContract, DomainContract):
    """All of it."""


def _given(value: Value | None) -> Value:
    if value is None:
        pytest.skip("this host has no such fixture")
    return value


def can(driver: HypervisorDriver, capability: Capability) -> bool:
    """True when the host says it can."""
    return next(state.available for state in driver.facts().capabilities if state.capability is capability)


def listed(driver: HypervisorDriver, domain: UUID) -> list[DomainInfo]:
    """Return a domain's entries in the listing: one or none."""
    return [info for info in driver.domain_list() if info.id == domain]


def assert_absent(driver: HypervisorDriver, domain: UUID) -> None:
    """Assert that the host has nothing of a domain id, volumes aside."""
    with pytest.raises(DomainNotFoundError):
        driver.domain_info(domain)
    assert listed(driver, domain) == []
    assert list(driver.leftovers(domain)) == []


def wait_for_ready(driver: HypervisorDriver, domain: UUID, timeout_s: float) -> bytes:
    """Return the console output once its newest boot has come to INNKEEPER-READY."""
    deadline = time.monotonic() + timeout_s
    while True:
        output = driver.console_output(domain)
        if b"INNKEEPER-READY" in output:
            return output
        assert time.monotonic() < deadline, output[-2000:]
        time.sleep(0.25)


def answers(driver: HypervisorDriver) -> bool:
    """True when the host can be reached."""
    try:
        driver.load()
    except HostUnreachableError:
        return False
    return True


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    """Wait for something that another process or thread does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def host_keys(output: bytes) -> list[bytes]:
    """Return the host key lines a guest printed."""
    return [line.strip() for line in output.splitlines() if line.startswith(b"INNKEEPER-HOSTKEY ")]


def data_file(folder: Path, size_bytes: int) -> Path:
    """Make a file without holes."""
    path = folder / f"data-{size_bytes}.raw"
    path.write_bytes(os.urandom(size_bytes))
    return path


def sparse_file(folder: Path, size_bytes: int) -> Path:
    """Make a file with a little data at the start and a hole after it."""
    path = folder / f"sparse-{size_bytes}.raw"
    with path.open("wb") as file:
        file.write(os.urandom(64 * 1024))
        file.truncate(size_bytes)
    return path
