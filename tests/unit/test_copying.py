"""What a step that copies says of itself, and that it is said while the copy is under way."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from hosts.copying import CopyProgress
from panel.core import deadlines
from panel.core.deadlines import DeadlinePassedError, call_within


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
