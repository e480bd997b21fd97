"""The driver contract as tests, the same for simulated and for real hosts.

A test module subclasses ``DriverContract`` and gives the fixtures named in ``conftest``.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from uuid import UUID

import pytest

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import (
    Capability,
    PoolSpec,
    PowerState,
    VolumeInfo,
    VolumeRef,
)
from panel.core.errors import (
    HostUnreachableError,
)
from panel.core.units import MIB
from tests.drivers.checks import QCOW2, RAW, MakeSpec, NewDriver, NewVolume, answers, can, given, wait_until
from tests.drivers.contract_adoption import AdoptionContract
from tests.drivers.contract_domains import DomainContract
from tests.drivers.contract_storage import StorageContract


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

    def test_boot_id_is_that_of_the_facts(self, driver: HypervisorDriver):
        assert driver.boot_id() == driver.facts().boot_id

    def test_load_counts_upwards(self, driver: HypervisorDriver):
        before, after = driver.load(), driver.load()

        assert 0 <= before.cpu_busy_ns <= after.cpu_busy_ns
        assert 0 < before.cpu_total_ns <= after.cpu_total_ns
        assert after.cpu_busy_ns <= after.cpu_total_ns
        assert 0 < after.memory_used_mib <= after.memory_total_mib

    def test_who_listens_is_told_of_what_happens_to_a_domain(
        self, driver: HypervisorDriver, make_spec: MakeSpec, new_driver: NewDriver | None
    ):
        spec, listener = make_spec(), given(new_driver, "new_driver")()
        told: list[UUID | None] = []
        listener.listen(told.append)
        listener.listen(told.append)
        driver.domain_define(spec)
        driver.domain_start(spec.id)
        wait_until(lambda: spec.id in told)
        told.clear()
        driver.domain_destroy(spec.id)
        wait_until(lambda: spec.id in told)
        assert None not in told
        listener.close()

    def test_who_listens_is_told_of_an_outage_and_goes_on_afterwards(
        self,
        driver: HypervisorDriver,
        make_spec: MakeSpec,
        new_driver: NewDriver | None,
        outage: Callable[[], AbstractContextManager[None]] | None,
    ):
        spec, listener = make_spec(), given(new_driver, "new_driver")()
        driver.domain_define(spec)
        told: list[UUID | None] = []
        listener.listen(told.append)
        with given(outage, "outage")():
            wait_until(lambda: None in told)
        wait_until(lambda: answers(listener) and answers(driver))
        told.clear()
        driver.domain_start(spec.id)
        wait_until(lambda: spec.id in told)
        driver.domain_destroy(spec.id)
        listener.close()

    def test_a_host_that_is_not_there_is_unreachable(self, unreachable_driver: HypervisorDriver | None):
        driver = given(unreachable_driver, "unreachable_driver")
        with pytest.raises(HostUnreachableError):
            driver.facts()
        with pytest.raises(HostUnreachableError):
            driver.domain_list()

    def test_close_is_final_and_may_be_repeated(self, new_driver: NewDriver | None):
        other = given(new_driver, "new_driver")()
        other.load()
        other.close()
        other.close()

        with pytest.raises(HostUnreachableError):
            other.load()

    def test_close_releases_a_call_that_waits_in_another_thread(
        self, driver: HypervisorDriver, new_driver: NewDriver | None, make_spec: MakeSpec
    ):
        """A paused guest cannot follow, so its shutdown waits."""
        other, spec = given(new_driver, "new_driver")(), make_spec()
        if not can(driver, Capability.PAUSE):
            pytest.skip("not applicable: needs a guest that waits")
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
        during, spec = given(outage, "outage"), make_spec()
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
            together.wait(timeout=60)
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


class DriverContract(HostContract, StorageContract, DomainContract, AdoptionContract):
    """All of it."""
