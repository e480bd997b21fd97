"""Whole collectors on a simulated fleet: how they share it, what they hear, and what silent hosts cost."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.models import Host, HostConnection, HostWatch, LiveCollector, Network
from hosts.services.watches import watches_give_back, watches_renew
from hosts.usage import recorder, store
from panel.core.backup.aftermath import put_right
from panel.core.errors import NotReadyError
from tests.drivers.checks import wait_until
from tests.services.guests import order
from tests.simulated_fleet import jobs_run
from vms.collector import process, watch, watcher
from vms.collector.process import Collector
from vms.models import Guest
from vms.services.reconcile.turns import turn_take

pytestmark = pytest.mark.django_db(transaction=True)
Start = Callable[[], Collector]


@pytest.fixture
def start(monkeypatch, settings) -> Iterator[Start]:
    """Start collectors in threads of the test's process; they are stopped in the end."""
    settings.COLLECT_EVERY_S, settings.COLLECT_LEASE_S = 2.0, 4.0
    monkeypatch.setattr(process, "run_chores", lambda stop: None)
    running: list[tuple[Collector, threading.Thread]] = []

    def begin() -> Collector:
        collector = Collector()

        def run() -> None:
            collector.run()
            connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        running.append((collector, thread))
        return collector

    yield begin
    for collector, thread in running:
        collector.stop.set()
        thread.join(20)
    assert [thread for _, thread in running if thread.is_alive()] == []


@pytest.fixture
def guest(one_host: Host, customer) -> Guest:
    """A running guest."""
    order(customer)
    jobs_run()
    return Guest.objects.get()


def held(collector: Collector) -> int:
    """How many hosts a collector may watch now."""
    return sum(collector.lease.holds(row.host_id) for row in HostWatch.objects.all())


def seen(guest: Guest) -> datetime:
    at = Guest.objects.get(pk=guest.pk).observed_at
    assert at is not None
    return at


def power(guest: Guest) -> str:
    return Guest.objects.get(pk=guest.pk).power_state


def test_collectors_share_the_hosts_and_take_over_those_of_a_dead_one(fleet, start):
    for _ in range(6):
        fleet.host()
    first = start()
    wait_until(lambda: held(first) == 6)
    second = start()
    wait_until(lambda: (held(first), held(second)) == (3, 3))
    # It is stopped like a process that was killed: it gives nothing back.
    first.lease.give_back = lambda: None
    first.stop.set()
    wait_until(lambda: held(second) == 6)
    third = start()
    wait_until(lambda: (held(second), held(third)) == (3, 3))
    third.stop.set()  # orderly: its hosts are free at once
    wait_until(lambda: held(second) == 6)


def test_no_host_is_watched_twice(fleet):
    hosts = [fleet.host().pk for _ in range(5)]
    mine = [watches_renew(collector_id=row, name="test").host_ids for row in hosts[:3] for _ in range(2)]
    again = [watches_renew(collector_id=row, name="test").host_ids for row in hosts[:3]]
    assert sorted(host for share in again for host in share) == sorted(hosts)
    assert max(map(len, again)) == 2
    assert len(mine[0]) == 5  # while it was alone
    watches_give_back(collector_id=hosts[0])
    assert LiveCollector.objects.count() == 2


def test_a_host_that_is_retired_or_disabled_is_watched_no_more(fleet):
    host, other = fleet.host(), fleet.host()
    assert watches_renew(collector_id=host.pk, name="test").host_ids == {host.pk, other.pk}
    HostConnection.objects.filter(host=host).update(enabled=False)
    assert watches_renew(collector_id=host.pk, name="test").host_ids == {other.pk}


def test_a_guest_that_stops_is_seen_at_once(guest, one_host, fleet, start, settings):
    settings.COLLECT_EVERY_S = 60
    start()
    wait_until(lambda: HostConnection.objects.exclude(last_seen_at=None).count() == 2 and power(guest) == "running")
    time.sleep(1)
    began = time.monotonic()
    fleet.admin.guest_poweroff(one_host.name, guest.pk)
    wait_until(lambda: power(guest) == "shutoff", timeout_s=2)
    assert time.monotonic() - began < 2


def test_after_a_restore_all_hosts_are_compared_at_once_and_orders_taken_again(one_host, fleet, start, customer):
    silent = fleet.host()
    Network.objects.get().hosts.add(silent)
    for row in HostConnection.objects.filter(host=one_host):
        assert turn_take(row) is not None  # a moment before the backup
    fleet.admin.set_reachable(silent.name, reachable=False)
    with transaction.atomic():
        put_right()
    with pytest.raises(NotReadyError):
        order(customer)
    start()
    waiting = HostConnection.objects.exclude(uncompared_since=None)
    wait_until(lambda: set(waiting.values_list("host", flat=True)) == {silent.pk}, timeout_s=20)
    wait_until(lambda: waiting.filter(last_error="").count() == 0)
    order(customer)
    fleet.admin.set_reachable(silent.name, reachable=True)
    wait_until(lambda: waiting.count() == 0, timeout_s=30)


def test_an_event_that_was_lost_is_made_up_for_by_the_next_look(guest, one_host, fleet, start):
    start()
    fleet.admin.set_fault(one_host.name, "event", FaultKind.LOSE, times=0)
    time.sleep(3)
    fleet.admin.guest_poweroff(one_host.name, guest.pk)
    wait_until(lambda: power(guest) == "shutoff", timeout_s=5)


@pytest.mark.parametrize("kind", [FaultKind.REPEAT, FaultKind.DELAY])
def test_events_that_come_twice_or_in_another_order_change_nothing(guest, one_host, fleet, start, settings, kind):
    settings.COLLECT_EVERY_S = 60
    start()
    time.sleep(2)
    fleet.admin.set_fault(one_host.name, "event", kind, times=1, seconds=1)
    fleet.admin.guest_poweroff(one_host.name, guest.pk)
    from hosts.registry import driver_for

    driver_for(one_host.pk, "kvm").domain_start(guest.pk)
    time.sleep(2)
    assert power(guest) == "running"


SILENCES = {
    "refuses": None,
    "accepts and never answers": (FaultKind.HANG, 0),
    "answers after 60 s": (FaultKind.LATE_ANSWER, 60),
    "cuts in the middle": (FaultKind.CUT_AFTER, 0),
}


@pytest.mark.parametrize("silence", SILENCES)
def test_a_silent_host_costs_the_others_nothing_and_loses_no_guest(guest, one_host, fleet, start, monkeypatch, silence):
    monkeypatch.setattr(watcher, "CALL_DEADLINE_S", 1.0)
    monkeypatch.setattr(watch, "AGAIN_AFTER_HANG_S", (2.0,))
    others = [fleet.host() for _ in range(5)]
    start()
    seen_of = HostConnection.objects.filter(host__in=others, host_type="kvm")
    wait_until(lambda: seen_of.exclude(last_seen_at=None).count() == 5 and power(guest) == "running")
    before = seen(guest)
    if (fault := SILENCES[silence]) is None:
        fleet.admin.set_reachable(one_host.name, False)
    else:
        fleet.admin.set_fault(one_host.name, "*", fault[0], times=0, seconds=fault[1])

    wait_until(lambda: power(guest) == "unknown", timeout_s=10)
    known = Guest.objects.get()
    assert (known.lifecycle, known.power_wanted) == ("active", "on")
    last = seen(guest)
    assert before <= last < timezone.now()
    lags = []
    for _ in range(6):
        time.sleep(0.7)
        oldest = min(row.last_seen_at for row in seen_of.all() if row.last_seen_at is not None)
        lags.append((timezone.now() - oldest).total_seconds())
    assert max(lags) < 4
    assert threading.active_count() < 80

    fleet.admin.clear_faults(one_host.name)
    fleet.admin.set_reachable(one_host.name, True)
    fleet.admin.release_hangs(one_host.name)
    wait_until(lambda: power(guest) == "running", timeout_s=15)
    assert seen(guest) > last


def test_usage_shows_within_a_few_looks_and_a_failed_write_leaves_power_as_it_is(
    guest, one_host, fleet, start, viewer_api, monkeypatch, settings
):
    settings.COLLECT_EVERY_S = 1.0

    def no_room(kind, windows):
        raise DatabaseError("no room")

    monkeypatch.setattr(store, "windows_write", no_room)
    monkeypatch.setattr(recorder, "WINDOW_MS", 2000)  # so that there is something to write at once
    start()

    def samples(name: str) -> list[float]:
        found = viewer_api.get(f"/guests/{guest.pk}/metrics").json()["series"][name]
        return [value for value in found if value is not None]

    wait_until(lambda: bool(samples("cpu_percent") and samples("memory_used_mib")))
    assert all(0 <= value <= 400 for value in samples("cpu_percent"))
    before = seen(guest)
    wait_until(lambda: seen(guest) > before)
    fleet.admin.guest_crash(one_host.name, guest.pk)
    wait_until(lambda: power(guest) != "running")
