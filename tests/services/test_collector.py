"""How the collector goes about it: what it asks a host, and what a call that hangs costs."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.models import Host, HostConnection
from lab.server import wait_until
from panel.core.metrics import REGISTRY
from tests.services.guests import order
from tests.services.watching import Looking
from tests.simulated_fleet import jobs_run
from vms.collector import watcher
from vms.collector.lanes import Lane
from vms.collector.lease import Lease
from vms.collector.process import Collector
from vms.collector.watcher import HostWatcher
from vms.collector.writing import write

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kvm(one_host: Host) -> HostConnection:
    """The host's KVM side."""
    return HostConnection.objects.get(host=one_host, host_type="kvm")


@pytest.mark.parametrize("call", ["boot_id", "load", "pool_info"])
def test_call_that_hangs_costs_its_own_answer_and_no_other(guest, one_host, fleet, kvm, monkeypatch, call):
    monkeypatch.setattr(watcher, "CALL_DEADLINE_S", 0.5)
    fleet.admin.set_fault(one_host.name, call, FaultKind.HANG)
    fleet.admin.clear_calls()
    Looking(kvm.pk).look()
    fleet.admin.release_hangs(one_host.name)
    guest.refresh_from_db()
    kvm.refresh_from_db()
    assert (guest.power_state, kvm.last_error) == ("running", "")
    answered = {record.call for record in fleet.admin.calls(host=one_host.name) if record.call != call}
    assert answered >= {"boot_id", "domain_list", "load", "pool_info"} - {call}


def test_round_does_not_probe_the_host(one_host, fleet, kvm):
    fleet.admin.clear_calls()
    Looking(kvm.pk).look()
    assert fleet.admin.calls(host=one_host.name, call="boot_id")
    assert fleet.admin.calls(host=one_host.name, call="facts") == []


def test_an_answer_is_written_in_a_fixed_number_of_statements(one_host, customer, kvm):
    def statements() -> int:
        looking = Looking(kvm.pk)
        looking.look()
        answer = looking.ask()
        with CaptureQueriesContext(connection) as queries:
            write(answer)
        return len(queries)

    order(customer)
    jobs_run()
    one = statements()
    for number in range(5):
        order(customer, name=f"more-{number}")
    jobs_run()
    assert statements() == one <= 12


def test_a_collector_that_was_stopped_for_a_while_writes_nothing_more(one_host, settings):
    settings.COLLECT_LEASE_S = 0.3
    lease = Lease()
    assert one_host.pk in lease.renew()
    assert lease.holds(one_host.pk)
    time.sleep(0.4)
    assert not lease.holds(one_host.pk)
    assert one_host.pk in lease.renew()
    assert abs((lease.now() - timezone.now()).total_seconds()) < 5
    lease.give_back()
    assert not lease.holds(one_host.pk)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector with its lanes, whose main thread is the test's."""
    lost_before, made = Lane.lost, Collector()
    made.lease.renew()
    yield made
    Lane.lost = lost_before
    for lane in made._lanes.values():
        lane.close()
        lane.join(until=time.monotonic() + 5)
    made.lease.give_back()


def test_a_host_whose_call_never_ends_is_written_down_as_silent(guest, kvm, collector):
    """Its thread is given up, so nobody brings an answer."""
    seen = timezone.now() - timedelta(seconds=30)
    Looking(kvm.pk).look()
    type(guest).objects.update(observed_at=seen)
    HostConnection.objects.update(last_seen_at=seen)
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait, name="look", daemon=True)
    thread.start()
    collector._thread_lost(collector._watch(HostWatcher(kvm)), thread)

    def is_known() -> bool:
        guest.refresh_from_db()
        kvm.refresh_from_db()
        return bool(guest.power_state == "unknown" and kvm.last_error)

    wait_until(is_known, "the host is silent", timeout_s=10)
    assert guest.observed_at == seen
    go_on.set()


def test_a_call_that_was_cut_because_it_took_too_long_is_counted_as_such(one_host, fleet, kvm, monkeypatch):
    def counted(outcome: str) -> float:
        labels = {"process": "manage", "call": "domain_list", "outcome": outcome}
        return REGISTRY.get_sample_value("innkeeper_host_call_duration_seconds_count", labels) or 0.0

    monkeypatch.setattr(watcher, "CALL_DEADLINE_S", 0.5)
    monkeypatch.setattr(watcher, "EACH_DOMAIN_S", 0.0)
    before = counted("timeout"), counted("error")
    fleet.admin.set_fault(one_host.name, "domain_list", FaultKind.HANG)
    assert Looking(kvm.pk).ask().hung
    fleet.admin.release_hangs(one_host.name)
    assert (counted("timeout"), counted("error")) == (before[0] + 1, before[1])
    fleet.admin.set_fault(one_host.name, "domain_list", FaultKind.ERROR)
    assert not Looking(kvm.pk).ask().hung
    assert (counted("timeout"), counted("error")) == (before[0] + 1, before[1] + 1)
