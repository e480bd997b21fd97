"""What becomes of a collector's thread whose call does not end even when its driver is closed."""

import threading
import time
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from vms.collector import deadlines
from vms.collector.deadlines import Deadlines
from vms.collector.lanes import Lane
from vms.collector.process import Collector


@pytest.fixture
def closed(monkeypatch) -> list[Any]:
    """The drivers that were closed; nobody waits for long."""
    drivers: list[Any] = []
    monkeypatch.setattr(deadlines.registry, "forget", drivers.append)
    monkeypatch.setattr(deadlines, "GIVE_UP_AFTER_S", 0.2)
    return drivers


def wait_for(true) -> None:
    until = time.monotonic() + 5
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    assert true()


def test_an_error_while_a_thread_is_given_up_does_not_end_the_watch_over_the_others(closed, caplog):
    watching = Deadlines()
    lost: list[threading.Thread] = []
    first: Any = "first"
    second: Any = "second"

    def fails(thread):
        raise KeyError(thread.name)

    with watching.within(0.1, first, on_lost=fails):
        wait_for(lambda: "could not be ended" in caplog.text)
        assert closed == ["first"]
    with watching.within(0.1, second, on_lost=lost.append):
        wait_for(lambda: lost)
    assert closed == ["first", "second"]
    assert lost == [threading.current_thread()]


def test_a_call_that_ended_in_time_gives_no_thread_up(closed):
    watching = Deadlines()
    lost: list[threading.Thread] = []
    driver: Any = "driver"
    with watching.within(0.1, driver, on_lost=lost.append):
        wait_for(lambda: closed)
        (call,) = watching._calls
    watching._give_up(call)
    assert lost == []


def test_a_thread_is_given_up_once_also_when_it_hangs_again(monkeypatch):
    collector = Collector()
    failed: list[float] = []
    for lane in collector._lanes.values():
        lane.close()
    lost_before = Lane.lost
    watch: Any = SimpleNamespace(
        failed=lambda *, now: failed.append(now), watcher=SimpleNamespace(unanswered=lambda asked_at: None)
    )
    monkeypatch.setattr(collector.lease, "now", timezone.now)
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait, name="look", daemon=True)
    thread.start()
    for _ in range(2):
        collector._thread_lost(watch, thread)
    assert (thread.name, Lane.lost - lost_before) == ("look-lost", 1)
    while not collector._inbox.empty():
        collector._inbox.get()()
    assert len(failed) == 1
    collector._lanes["look"]._work.put(None)  # the one in its place
    go_on.set()
    Lane.lost = lost_before


def test_hosts_that_hang_keep_no_thread_from_the_others(monkeypatch):
    collector, go_on, looked = Collector(), threading.Event(), threading.Event()
    collector._next_follow_up = float("inf")

    def hang(asked_at: datetime) -> None:
        go_on.wait(20)
        raise RuntimeError("let go on")

    def answer(asked_at: datetime) -> None:
        looked.set()
        raise RuntimeError("asked")

    def watch(look: Any, *, hung: bool) -> Any:
        connection = SimpleNamespace(pk=uuid4(), host_id=uuid4())
        return SimpleNamespace(
            watcher=SimpleNamespace(connection=connection, look=look), is_silent=True, hung=hung,
            failed=lambda *, now: None, look_due=lambda *, now: True, told=frozenset,
        )  # fmt: skip

    refused = watch(answer, hung=False)  # the last time
    watches = [*(watch(hang, hung=True) for _ in range(50)), refused]
    collector._watches = {one.watcher.connection.pk: one for one in watches}
    held = frozenset(one.watcher.connection.host_id for one in watches)
    monkeypatch.setattr(collector.lease, "held", lambda: held)
    monkeypatch.setattr(collector.lease, "now", timezone.now)
    collector._ask_what_is_due()
    assert looked.wait(5)
    go_on.set()
    for lane in collector._lanes.values():
        lane.close()
