"""Every kind of scripted fault, latencies, and the record of calls."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest

from hosts.drivers.simulated import FaultKind, SimulatedAdmin, SimulatedDriver, SimulatedServer
from hosts.drivers.simulated.call_log import CallRecord, most_at_once
from hosts.drivers.simulated.connection import ServerConnection
from hosts.drivers.simulated.wire import ERRORS
from hosts.drivers.types import DomainSpec, HostType, PoolSpec, SeedFiles, VolumeFormat, VolumeRef
from panel.core.errors import (
    CapabilityError,
    DomainNotFoundError,
    DriverError,
    HostTimeoutError,
    HostUnreachableError,
    StorageFullError,
    VolumeNotFoundError,
)
from panel.core.units import MIB
from tests.drivers.checks import wait_until

VOLUME = VolumeRef("pool", "volume")
InThread = Callable[[Callable[[], Any]], Future[Any]]


@pytest.fixture
def driver(server: SimulatedServer, host: str) -> Iterator[SimulatedDriver]:
    driver = server.driver(host)
    driver.pool_ensure(PoolSpec(name="pool", path="/simulated/pool"))
    yield driver
    driver.close()


@pytest.fixture
def create(driver: SimulatedDriver) -> Callable[[], Any]:
    """A call that leaves something to be seen."""
    return lambda: driver.volume_create(VOLUME, format=VolumeFormat.RAW, capacity_bytes=MIB)


@pytest.fixture
def is_done(driver: SimulatedDriver) -> Callable[[], bool]:
    """True when ``create`` did its work."""
    return lambda: VOLUME in [info.ref for info in driver.volume_list("pool")]


@pytest.fixture
def came_in(admin: SimulatedAdmin, host: str) -> Callable[[], bool]:
    """True when the server has read the ``create`` call."""
    return lambda: admin.calls(host=host, call="volume_create") != []


def the_call(admin: SimulatedAdmin, host: str) -> CallRecord:
    """Return the only ``volume_create`` on a host."""
    [record] = admin.calls(host=host, call="volume_create")
    return record


@pytest.mark.parametrize("error", ERRORS.values())
def test_an_error_of_each_class_comes_before_the_work(
    admin: SimulatedAdmin, host: str, create: Callable[[], Any], is_done: Callable[[], bool], error: type[DriverError]
):
    admin.set_fault(host, "volume_create", FaultKind.ERROR, error=error, message="A sentence.")
    with pytest.raises(error) as raised:
        create()
    assert type(raised.value) is error
    assert str(raised.value) == "A sentence."
    assert not is_done()
    assert (the_call(admin, host).outcome, the_call(admin, host).worked_at) == (error.code, None)
    create()
    assert is_done()


def test_every_error_class_of_drivers_can_travel():
    assert set(ERRORS.values()) == {
        DriverError,
        DomainNotFoundError,
        VolumeNotFoundError,
        CapabilityError,
        StorageFullError,
        HostUnreachableError,
        HostTimeoutError,
    }
    assert set(ERRORS.values()) == {DriverError, *DriverError.__subclasses__()}


def test_an_error_after_the_work(
    admin: SimulatedAdmin, host: str, create: Callable[[], Any], is_done: Callable[[], bool]
):
    admin.set_fault(host, "volume_create", FaultKind.ERROR_AFTER, error=StorageFullError)
    with pytest.raises(StorageFullError):
        create()
    assert is_done()


def test_half_done_leaves_a_volume_that_takes_room_but_is_not_listed(
    admin: SimulatedAdmin, host: str, driver: SimulatedDriver, create: Callable[[], Any], is_done: Callable[[], bool]
):
    admin.set_fault(host, "volume_create", FaultKind.HALF_DONE)
    with pytest.raises(DriverError):
        create()
    assert not is_done()
    assert driver.pool_info("pool").allocation_bytes == MIB
    driver.volume_delete(VOLUME)
    assert driver.pool_info("pool").allocation_bytes == 0


def test_done_but_never_answered(
    admin: SimulatedAdmin,
    host: str,
    server: SimulatedServer,
    is_done: Callable[[], bool],
    in_thread: InThread,
):
    """The caller waits until it closes its connection; nobody else does."""
    admin.set_fault(host, "volume_create", FaultKind.NO_ANSWER)
    waiting_driver = server.driver(host)
    waiting = in_thread(lambda: waiting_driver.volume_create(VOLUME, format=VolumeFormat.RAW, capacity_bytes=MIB))
    wait_until(is_done)
    time.sleep(0.2)
    assert not waiting.done()
    assert the_call(admin, host).outcome == "no_answer"
    assert waiting_driver.load().memory_total_mib == 65536  # another thread of the same driver is not held up
    waiting_driver.close()
    with pytest.raises(HostUnreachableError):
        waiting.result(timeout=5)


def test_done_and_answered_late(
    admin: SimulatedAdmin, host: str, create: Callable[[], Any], is_done: Callable[[], bool], in_thread: InThread
):
    admin.set_fault(host, "volume_create", FaultKind.LATE_ANSWER, seconds=1.5)
    waiting = in_thread(create)
    wait_until(is_done)
    assert not waiting.done()
    assert waiting.result(timeout=5).ref == VOLUME


def test_done_then_cut(admin: SimulatedAdmin, host: str, create: Callable[[], Any], is_done: Callable[[], bool]):
    admin.set_fault(host, "volume_create", FaultKind.CUT_AFTER)
    with pytest.raises(HostUnreachableError):
        create()
    assert is_done()
    assert the_call(admin, host).outcome == "cut"


def test_cut_before_the_work(admin: SimulatedAdmin, host: str, create: Callable[[], Any], is_done: Callable[[], bool]):
    admin.set_fault(host, "volume_create", FaultKind.CUT_BEFORE)
    with pytest.raises(HostUnreachableError):
        create()
    assert not is_done()
    create()
    assert is_done()


def test_a_hang_holds_up_its_caller_alone_until_it_is_released(
    admin: SimulatedAdmin,
    host: str,
    create: Callable[[], Any],
    is_done: Callable[[], bool],
    in_thread: InThread,
    came_in: Callable[[], bool],
):
    admin.set_fault(host, "volume_create", FaultKind.HANG)
    waiting = in_thread(create)
    wait_until(came_in)
    time.sleep(0.2)
    assert not waiting.done()
    assert not is_done()
    assert (the_call(admin, host).outcome, the_call(admin, host).ended_at) == ("hang", None)
    assert admin.release_hangs(host) == 1
    assert waiting.result(timeout=5).ref == VOLUME
    assert is_done()
    assert the_call(admin, host).outcome == "ok"


def test_a_hang_that_was_given_up_works_when_it_is_released(
    admin: SimulatedAdmin,
    host: str,
    server: SimulatedServer,
    is_done: Callable[[], bool],
    in_thread: InThread,
    came_in: Callable[[], bool],
):
    admin.set_fault(host, "volume_create", FaultKind.HANG)
    abandoned = server.driver(host)
    waiting = in_thread(lambda: abandoned.volume_create(VOLUME, format=VolumeFormat.RAW, capacity_bytes=MIB))
    wait_until(came_in)
    abandoned.close()
    with pytest.raises(HostUnreachableError):
        waiting.result(timeout=5)
    assert not is_done()
    admin.release_hangs(host)
    wait_until(is_done)


def test_a_host_reboot_ends_what_hangs_for_good(
    admin: SimulatedAdmin,
    host: str,
    create: Callable[[], Any],
    is_done: Callable[[], bool],
    in_thread: InThread,
    came_in: Callable[[], bool],
):
    admin.set_fault(host, "volume_create", FaultKind.HANG)
    waiting = in_thread(create)
    wait_until(came_in)
    admin.reboot_host(host)
    with pytest.raises(HostUnreachableError):
        waiting.result(timeout=5)
    assert admin.release_hangs(host) == 0
    assert not is_done()
    assert the_call(admin, host).outcome == "cut"


def test_an_unreachable_host_cuts_who_waits_and_works_on(
    admin: SimulatedAdmin,
    host: str,
    create: Callable[[], Any],
    is_done: Callable[[], bool],
    in_thread: InThread,
    came_in: Callable[[], bool],
):
    admin.set_latency("volume_create", 1, host=host)
    waiting = in_thread(create)
    wait_until(came_in)
    admin.set_reachable(host, False)
    with pytest.raises(HostUnreachableError):
        waiting.result(timeout=5)
    admin.set_reachable(host, True)
    assert not is_done()
    wait_until(is_done)


def test_a_pause_delays_the_work(
    admin: SimulatedAdmin,
    host: str,
    create: Callable[[], Any],
    is_done: Callable[[], bool],
    in_thread: InThread,
    came_in: Callable[[], bool],
):
    admin.set_fault(host, "volume_create", FaultKind.PAUSE, seconds=1)
    waiting = in_thread(create)
    wait_until(came_in)
    assert not is_done()
    assert waiting.result(timeout=5).ref == VOLUME


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


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call took."""
    begun = time.monotonic()
    call()
    return time.monotonic() - begun
