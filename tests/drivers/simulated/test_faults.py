"""Every kind of scripted fault: what it does to the caller, to others and to the work."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from hosts.drivers.simulated import FaultKind, SimulatedAdmin, SimulatedDriver, SimulatedServer
from hosts.drivers.simulated.call_log import CallRecord
from hosts.drivers.simulated.wire import ERRORS
from hosts.drivers.types import VolumeFormat
from panel.core.errors import (
    CapabilityError,
    DomainNotFoundError,
    DriverError,
    HostTimeoutError,
    HostUnreachableError,
    LeftoversError,
    StorageFullError,
    StorageReadOnlyError,
    VolumeNotFoundError,
)
from panel.core.units import MIB
from tests.drivers.checks import VOLUME, InThread, wait_until

pytestmark = pytest.mark.usefixtures("pool")


@pytest.fixture
def create(driver: SimulatedDriver) -> Callable[[], Any]:
    """A call that leaves something to be seen."""
    return lambda: driver.volume_create(VOLUME, format=VolumeFormat.RAW, capacity_bytes=MIB)


@pytest.fixture
def is_done(driver: SimulatedDriver) -> Callable[[], bool]:
    """True when ``create`` did its work."""
    return lambda: VOLUME in [info.ref for info in driver.volume_list("pool")]


@pytest.fixture
def begin(
    admin: SimulatedAdmin, host: str, create: Callable[[], Any], in_thread: InThread
) -> Callable[..., Future[Any]]:
    """Set a fault, ``create`` in another thread, and return when the server has read the call."""

    def begin(kind: FaultKind, **fault: Any) -> Future[Any]:
        admin.set_fault(host, "volume_create", kind, **fault)
        waiting = in_thread(create)
        wait_until(lambda: admin.calls(host=host, call="volume_create") != [])
        return waiting

    return begin


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
        StorageReadOnlyError,
        HostUnreachableError,
        HostTimeoutError,
        LeftoversError,
    }
    assert set(ERRORS.values()) == {DriverError, *DriverError.__subclasses__()}


@pytest.mark.parametrize(
    ("kind", "raised", "done", "outcome"),
    [
        (FaultKind.ERROR_AFTER, StorageFullError, True, "storage_full"),
        (FaultKind.CUT_AFTER, HostUnreachableError, True, "cut"),
        (FaultKind.CUT_BEFORE, HostUnreachableError, False, "cut"),
    ],
)
def test_a_call_that_raised_may_have_worked(admin, host, create, is_done, kind, raised, done, outcome):
    admin.set_fault(host, "volume_create", kind, error=StorageFullError)
    with pytest.raises(raised):
        create()
    assert is_done() is done
    assert the_call(admin, host).outcome == outcome
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


def test_a_hang_holds_up_its_caller_alone_until_it_is_released(admin, host, is_done, begin):
    waiting = begin(FaultKind.HANG)
    time.sleep(0.2)
    assert not waiting.done()
    assert not is_done()
    assert (the_call(admin, host).outcome, the_call(admin, host).ended_at) == ("hang", None)
    assert admin.release_hangs(host) == 1
    assert waiting.result(timeout=5).ref == VOLUME
    assert is_done()
    assert the_call(admin, host).outcome == "ok"


def test_a_hang_that_was_given_up_works_when_it_is_released(admin, host, driver, server, begin):
    waiting = begin(FaultKind.HANG)
    driver.close()
    with pytest.raises(HostUnreachableError):
        waiting.result(timeout=5)
    other = server.driver(host)
    assert other.volume_list("pool") == []
    admin.release_hangs(host)
    wait_until(lambda: [info.ref for info in other.volume_list("pool")] == [VOLUME])
    other.close()


def test_a_host_reboot_ends_what_hangs_for_good(admin, host, is_done, begin):
    waiting = begin(FaultKind.HANG)
    admin.reboot_host(host)
    with pytest.raises(HostUnreachableError):
        waiting.result(timeout=5)
    assert admin.release_hangs(host) == 0
    assert not is_done()
    assert the_call(admin, host).outcome == "cut"


def test_an_unreachable_host_cuts_who_waits_and_works_on(admin, host, is_done, begin):
    waiting = begin(FaultKind.PAUSE, seconds=1)
    admin.set_reachable(host, False)
    with pytest.raises(HostUnreachableError):
        waiting.result(timeout=5)
    admin.set_reachable(host, True)
    assert not is_done()
    wait_until(is_done)


def test_a_pause_delays_the_work(is_done, begin):
    waiting = begin(FaultKind.PAUSE, seconds=1)
    assert not is_done()
    assert waiting.result(timeout=5).ref == VOLUME
