"""How the collector goes about it: what it asks a host, and what a call that hangs costs."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.models import Host, HostConnection
from tests.services.guests import order
from tests.services.watching import Looking
from tests.simulated_fleet import jobs_run
from vms.collector import watcher
from vms.collector.lease import Lease
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
