"""Which call a fault strikes, how long calls take, and what is recorded of them."""

import uuid
from functools import partial

import pytest

from hosts.drivers.simulated import FaultKind, SimulatedAdmin, SimulatedDriver, SimulatedServer
from hosts.drivers.simulated.call_log import most_at_once
from hosts.drivers.simulated.connection import ServerConnection
from hosts.drivers.types import DomainSpec, HostType, SeedFiles, VolumeFormat, VolumeRef
from panel.core.errors import DriverError
from panel.core.units import MIB
from tests.drivers.checks import VOLUME, InThread, seconds

pytestmark = pytest.mark.usefixtures("pool")


def test_a_fault_strikes_at_its_nth_time_and_as_often_as_told(
    admin: SimulatedAdmin, host: str, driver: SimulatedDriver, server: SimulatedServer
):
    driver.load()
    admin.set_fault(host, "load", FaultKind.ERROR, nth=2, times=2)
    other = server.driver(f"{host}-other")
    outcomes = []
    for _ in range(5):
        other.load()
        try:
            driver.load()
            outcomes.append("ok")
        except DriverError:
            outcomes.append("error")
    assert outcomes == ["ok", "error", "error", "ok", "ok"]
    admin.set_fault(host, "*", FaultKind.ERROR, times=0)
    for call in (driver.facts, driver.load, driver.domain_list):
        with pytest.raises(DriverError):
            call()
    admin.clear_faults(host)
    driver.load()
    other.close()


def test_a_fault_for_one_domain_spares_the_others(admin: SimulatedAdmin, host: str, driver: SimulatedDriver):
    specs = [
        DomainSpec(id=uuid.uuid4(), name="g", host_type=HostType.KVM, vcpus=1, memory_mib=1, disks=(), nics=())
        for _ in range(2)
    ]
    admin.set_fault(host, "*", FaultKind.ERROR, times=0, domain=specs[0].id)
    for spec in specs[1:]:
        driver.domain_define(spec)
        driver.domain_start(spec.id)
    with pytest.raises(DriverError):
        driver.domain_define(specs[0])
    with pytest.raises(DriverError):
        driver.domain_info(specs[0].id)
    assert [info.id for info in driver.domain_list()] == [specs[1].id]


def test_the_clock_scales_latencies_only(admin: SimulatedAdmin, host: str, driver: SimulatedDriver):
    admin.set_latency("load", 100, host=host)
    admin.set_clock_factor(0.002)
    try:
        assert 0.2 <= seconds(driver.load) < 5
        admin.set_fault(host, "facts", FaultKind.PAUSE, seconds=0.3)
        assert 0.3 <= seconds(driver.facts) < 5
    finally:
        admin.set_clock_factor(1.0)


def test_the_record_shows_what_ran_at_once(
    admin: SimulatedAdmin, host: str, driver: SimulatedDriver, in_thread: InThread
):
    admin.set_latency("volume_create", 1, host=host)
    names = [VolumeRef("pool", f"v{number}") for number in range(5)]
    calls = [
        in_thread(partial(driver.volume_create, ref, format=VolumeFormat.RAW, capacity_bytes=MIB)) for ref in names
    ]
    for call in calls:
        call.result(timeout=10)
    records = admin.calls(host=host, call="volume_create")
    assert most_at_once(records) == 5
    assert sorted(record.arguments["volume"]["name"] for record in records) == [ref.name for ref in names]
    assert [record.sequence for record in records] == sorted(record.sequence for record in records)
    for record in records:
        assert record.worked_at is not None
        assert record.ended_at is not None
        assert record.started_at <= record.worked_at <= record.ended_at
    after = records[-1].sequence
    driver.load()
    assert [record.call for record in admin.calls(host=host, after=after)] == ["load"]


def test_no_secret_of_a_seed_is_in_the_record(admin: SimulatedAdmin, host: str, driver: SimulatedDriver):
    driver.seed_write(VOLUME, SeedFiles(files={"vendor-data": b"$6$secret", "meta-data": b""}))
    [record] = admin.calls(host=host, call="seed_write")
    assert record.arguments == {
        "volume": {"pool": "pool", "name": "volume"},
        "seed": {"files": ["meta-data", "vendor-data"]},
    }


def test_a_call_that_does_not_exist_answers_with_an_error(server: SimulatedServer):
    connection = ServerConnection(str(server.socket_path))
    for message in (
        {"host": "h1", "type": "kvm", "call": "nonsense", "args": {}},
        {"host": "h1", "type": "kvm", "call": "leave_half_made", "args": {}},
        {"host": "h1", "type": "kvm", "call": "load", "args": {"surplus": 1}},
        {"admin": "nonsense", "args": {}},
    ):
        with pytest.raises(DriverError):
            connection.request(message)
    connection.close()
