"""What a step that copies says of itself, and that it is said while the copy is under way."""

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from django.db import InterfaceError, OperationalError

from hosts import copying, registry
from hosts.calls import guarded
from hosts.copying import CopyProgress
from hosts.drivers.base import HypervisorDriver
from panel.core import deadlines
from panel.core.deadlines import DeadlinePassedError, call_within
from panel.core.errors import JobCancelledError, JobLostError


class Told:
    """An operation's side of it."""

    def __init__(self) -> None:
        self.step_now = SimpleNamespace(name="copy")
        self.said: list[tuple[int, dict[str, int]]] = []

    def progress(self, percent: int, **more: int) -> None:
        self.said.append((percent, more))


@pytest.fixture
def operation() -> Any:
    return Told()


def test_bytes_of_several_copies_add_up_to_what_was_expected(operation, monkeypatch):
    copied = CopyProgress(operation, step="copy")
    copied.report()
    assert operation.said == []
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    copied.expect(1000)
    copied.begin()
    copied.told(200, 600)
    monkeypatch.setattr(time, "monotonic", lambda: 102.0)
    copied.report()
    copied.told(600, 600)
    copied.begin()
    copied.told(400, 400)
    monkeypatch.setattr(time, "monotonic", lambda: 104.0)
    copied.report()
    assert operation.said == [
        (20, {"bytes_done": 200, "bytes_total": 1000, "rate_bytes_s": 100}),
        (100, {"bytes_done": 1000, "bytes_total": 1000, "rate_bytes_s": 250}),
    ]


def test_nothing_is_said_of_a_step_that_is_over(operation):
    copied = CopyProgress(operation, step="copy")
    copied.begin()
    operation.step_now = SimpleNamespace(name="next")
    copied.report()
    assert operation.said == []


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_is_away_for_a_moment_ends_no_copy(operation, monkeypatch, error):
    closed = []
    monkeypatch.setattr(copying, "connection", SimpleNamespace(close=lambda: closed.append(True)))
    copied = CopyProgress(operation, step="copy")
    copied.begin()
    copied.told(1, 2)
    with monkeypatch.context() as away:
        away.setattr(Told, "progress", raising(error))
        copied.report()
    copied.report()
    assert (closed, [percent for percent, _ in operation.said]) == ([True], [50])


@pytest.mark.parametrize("error", [JobLostError, JobCancelledError])
def test_a_copy_of_an_attempt_that_must_not_go_on_is_cut(monkeypatch, error):
    monkeypatch.setattr(deadlines, "MEANWHILE_S", 0.01)
    cut = threading.Event()
    driver = SimpleNamespace(volume_clone=lambda: cut.wait(10), close=cut.set)
    monkeypatch.setitem(registry._drivers, (0, UUID(int=0), ""), driver)
    call = guarded(
        lambda: cast(HypervisorDriver, driver),
        fence=lambda: None,
        deadline_s=lambda: 10.0,
        meanwhile=raising(error),
    )
    with pytest.raises(error):
        call.volume_clone()  # type: ignore[call-arg]
    assert cut.is_set()
    assert driver not in registry._drivers.values()


def raising(error: type[Exception]) -> Callable[..., None]:
    """Return a function that raises."""

    def away(*_: Any, **__: Any) -> None:
        raise error

    return away


def test_the_waiting_thread_reports_while_a_call_is_under_way(monkeypatch):
    monkeypatch.setattr(deadlines, "MEANWHILE_S", 0.01)
    over, seen = threading.Event(), []

    def meanwhile() -> None:
        seen.append(threading.current_thread())
        if len(seen) == 3:
            over.set()

    assert call_within(10, lambda: over.wait(10), meanwhile=meanwhile) is True
    assert set(seen) == {threading.main_thread()}
    with pytest.raises(DeadlinePassedError):
        call_within(0.05, lambda: time.sleep(0.5), meanwhile=lambda: None)


def test_what_is_raised_meanwhile_ends_the_waiting(monkeypatch):
    monkeypatch.setattr(deadlines, "MEANWHILE_S", 0.01)

    def lost() -> None:
        raise LookupError

    began = time.monotonic()
    with pytest.raises(LookupError):
        call_within(10, lambda: time.sleep(0.5), meanwhile=lost)
    assert time.monotonic() - began < 0.4
