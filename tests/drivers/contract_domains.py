"""The driver contract's part about domains.

Real guests are emulated and slow: only the last test waits for an operating system.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import (
    Capability,
    DiskSpec,
    HostType,
    KernelSpec,
    NicSpec,
    PowerState,
    SeedFiles,
    domain_name,
)
from panel.core.errors import (
    CapabilityError,
    DomainNotFoundError,
    DriverError,
    VolumeNotFoundError,
)
from panel.core.units import MIB
from tests.drivers.checks import (
    RAW,
    MakeSpec,
    NewDriver,
    NewVolume,
    assert_absent,
    can,
    given,
    host_keys,
    listed,
    usage_of,
    wait_for_ready,
    wait_until,
)


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
            assert driver.domain_changes(changed) != ()
            driver.domain_define(changed)
            assert driver.domain_is_current(changed)
            assert driver.domain_changes(changed) == ()
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
            pytest.skip("not applicable: containers have no kernel of their own")
        else:
            spec = replace(spec, kernel=KernelSpec(kernel=missing, initrd=missing, arguments=""))

        with pytest.raises(VolumeNotFoundError):
            driver.domain_define(spec)

        assert_absent(driver, spec.id)

    def test_what_the_host_cannot_do_is_refused(
        self, driver: HypervisorDriver, make_spec: MakeSpec, bandwidth_nic: NicSpec | None
    ):
        spec = make_spec(nics=(given(bandwidth_nic, "bandwidth_nic"),))
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
        foreign, spec = given(foreign_domain, "foreign_domain"), make_spec()
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

    def test_a_listing_says_what_a_domain_that_is_on_uses(self, driver: HypervisorDriver, make_spec: MakeSpec):
        spec = make_spec()
        driver.domain_define(spec)
        assert [info.usage for info in listed(driver, spec.id)] == [None]
        driver.domain_start(spec.id)

        first = usage_of(driver, spec.id)
        wait_until(lambda: (usage_of(driver, spec.id).cpu_time_ns or 0) > (first.cpu_time_ns or 0))
        second = usage_of(driver, spec.id)

        counters = ("disk_read_bytes", "disk_write_bytes", "disk_read_ops", "disk_write_ops")
        if any(getattr(second, name) is None for name in counters):  # a host that does not count containers' I/O
            assert not can(driver, Capability.BULK_STATS)
            assert [getattr(second, name) for name in counters] == [None] * 4
        else:
            assert all(getattr(second, name) >= (getattr(first, name) or 0) for name in counters)
        assert second.memory_used_mib is not None
        assert 0 < (second.memory_used_mib or 0) <= spec.memory_mib + 512  # its process has some too
        assert (second.cpu_delay_ns is not None) == can(driver, Capability.BULK_STATS)
        driver.domain_destroy(spec.id)
        assert [info.usage for info in listed(driver, spec.id)] == [None]

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
            pytest.skip("not applicable: the guest has no operating system")
        spec = make_spec()
        driver.domain_define(spec)
        assert driver.domain_reboot(spec.id, timeout_s=shutdown_timeout_s) is True  # of a domain that is off
        output = wait_for_ready(driver, spec.id, boot_timeout_s)
        assert host_keys(output)
        tail = driver.console_output(spec.id, max_bytes=40)
        assert len(tail) == 40
        assert tail in driver.console_output(spec.id)  # not at its very end: it may have printed more since

        assert driver.domain_reboot(spec.id, timeout_s=shutdown_timeout_s) is True
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        after_reboot = wait_for_ready(driver, spec.id, boot_timeout_s)
        assert set(host_keys(after_reboot)) == set(host_keys(output))

        assert driver.domain_shutdown(spec.id, timeout_s=shutdown_timeout_s) is True
        assert driver.domain_info(spec.id).state is PowerState.SHUTOFF
        driver.domain_undefine(spec.id)
        assert_absent(driver, spec.id)
