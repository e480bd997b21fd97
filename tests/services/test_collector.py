"""How the collector goes about it: what it asks a host, and what a call that hangs costs."""

import pytest

from hosts.drivers.simulated import FaultKind
from hosts.models import Host, HostConnection
from tests.services.watching import Looking
from vms.collector import watcher

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
