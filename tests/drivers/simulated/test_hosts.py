"""What happens to simulated hosts, and behind the panel's back."""

import time

import pytest

from hosts.drivers.simulated import SimulatedAdmin, SimulatedDriver, SimulatedServer
from hosts.drivers.types import Capability, HostType, PoolSpec, PowerState, VolumeFormat, VolumeRef
from panel.core.errors import (
    CapabilityError,
    DomainNotFoundError,
    HostUnreachableError,
    InvalidInputError,
    StorageFullError,
)
from panel.core.units import GIB
from tests.drivers.checks import MakeSpec, can, listed, started


def test_a_rebooted_host_has_another_boot_id_and_its_domains_off(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    before = driver.facts().boot_id
    admin.reboot_host(host)
    assert driver.facts().boot_id != before
    assert driver.domain_info(domain).state is PowerState.SHUTOFF
    assert not [entry for entry in driver.leftovers(domain) if entry.startswith("rules")]
    driver.domain_start(domain)


def test_a_host_that_was_cut_off_comes_back_with_its_guests_running(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.set_reachable(host, False)
    with pytest.raises(HostUnreachableError):
        driver.facts()
    admin.set_reachable(host, True)
    assert driver.domain_info(domain).state is PowerState.RUNNING


def test_types_of_one_host_share_storage_but_not_domains(
    driver: SimulatedDriver, server: SimulatedServer, host: str, make_spec: MakeSpec
):
    spec = make_spec()
    driver.domain_define(spec)
    containers = server.driver(host, HostType.LXC)
    assert containers.domain_list() == []
    with pytest.raises(DomainNotFoundError):
        containers.domain_start(spec.id)
    assert containers.volume_list("pool") == driver.volume_list("pool")
    containers.close()


def test_an_unemulated_domain_needs_acceleration(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    spec = make_spec()
    admin.make_host(host, missing={Capability.ACCELERATION: "No vmx."})
    assert driver.facts().emulated is True
    assert not can(driver, Capability.ACCELERATION)
    with pytest.raises(CapabilityError) as refused:
        driver.domain_define(spec)
    assert refused.value.detail == "No vmx."


def test_a_pool_that_filled_up_takes_no_more(driver: SimulatedDriver, admin: SimulatedAdmin, host: str, pool: PoolSpec):
    driver.volume_create(VolumeRef(pool.name, "first"), format=VolumeFormat.QCOW2, capacity_bytes=GIB)
    admin.set_pool_capacity(host, pool.name, 300 * 1024)
    with pytest.raises(StorageFullError):
        driver.volume_create(VolumeRef(pool.name, "second"), format=VolumeFormat.QCOW2, capacity_bytes=GIB)
    assert driver.pool_info(pool.name).available_bytes < 196 * 1024


def test_changes_behind_the_panels_back(driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec):
    spec = make_spec()
    driver.domain_define(spec)
    admin.change_domain(host, spec.id, memory_mib=999)
    assert not driver.domain_is_current(spec)
    admin.leave_behind(host, spec.id, ["rules left"])
    admin.drop_domain(host, spec.id)
    assert listed(driver, spec.id) == []
    assert list(driver.leftovers(spec.id)) == ["rules left"]


def test_deleting_state_forgets_everything(server: SimulatedServer, driver: SimulatedDriver, pool: PoolSpec):
    admin = server.admin()
    admin.set_latency("facts", 5)
    admin.delete_state()
    assert admin.list_hosts() == []
    assert admin.calls() == []
    assert driver.facts().cpus == 16
    admin.close()


def test_two_thousand_hosts_cost_little(server: SimulatedServer, admin: SimulatedAdmin):
    begun = time.monotonic()
    for number in range(2000):
        admin.make_host(f"many-{number}", cpus=64)
    assert time.monotonic() - begun < 10
    assert len([name for name in admin.list_hosts() if name.startswith("many-")]) == 2000
    for number in range(2000):
        admin.delete_host(f"many-{number}")


@pytest.mark.parametrize(
    "uri", ["qemu:///system", "simulated:///h1", "simulated:///?socket=/x", "simulated://h/h1?socket=/x"]
)
def test_a_uri_of_another_shape_is_refused(uri: str):
    with pytest.raises(InvalidInputError):
        SimulatedDriver(HostType.KVM, uri)
