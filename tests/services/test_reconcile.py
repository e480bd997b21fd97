"""What does not agree is listed, with proof; it closes by itself; and what can be done about it is safe."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.drivers.descriptions import ConfigurationChange, PartChange
from hosts.drivers.simulated import FaultKind
from hosts.drivers.simulated.driver import SimulatedDriver
from hosts.drivers.types import HostType, PowerState
from hosts.models import Host, IPAddress, StoragePool
from hosts.registry import driver_for, driver_of
from hosts.services.addresses import SEEN_USED_FOR
from panel.core.actors import SYSTEM
from panel.core.errors import DriverError, InvalidStateError
from panel.core.models import AuditEntry, Customer
from tests import factories
from tests.client import problem
from tests.services.comparing import found, only
from tests.services.guests import act, order
from tests.simulated_fleet import jobs_run
from vms.models import Comparison, Difference, Guest
from vms.operations.survey import compare_connection, survey
from vms.services.reconcile import actions
from vms.services.reconcile.compare import host_compare
from vms.services.reconcile.guest_checks import MOST_PARTS
from vms.services.reconcile.turns import SUSPECT_AGAIN_S, connections_due, turn_take
from vms.states import GuestAction

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_host_and_a_panel_that_agree_differ_in_nothing(guest, customer, look):
    order(customer, name="box", host_type="lxc")
    jobs_run()
    assert look() == []
    assert Difference.objects.count() == 0


def test_a_domain_without_guest_is_listed_with_what_it_is(one_host, fleet, look):
    identity = uuid.uuid4()
    fleet.admin.make_foreign_domain(one_host.name, identity, name="legacy")
    assert look() == [("domain-without-guest", "legacy", "open")]
    row = only()
    assert (row.host_id, row.object_id, row.severity, row.found["running"]) == (one_host.pk, identity, "low", True)
    fleet.admin.drop_domain(one_host.name, identity)
    assert look() == []
    row.refresh_from_db()
    assert (row.state, row.closed_how) == ("closed", "vanished")


def test_a_guest_without_domain_takes_three_proofs_a_minute_apart(guest, one_host, fleet, look, customer):
    order(customer, name="neighbour")
    jobs_run()
    look()
    fleet.admin.drop_domain(one_host.name, guest.pk)
    assert look() == [("guest-without-domain", "web-1", "suspected")]
    assert look(minutes=0.5) == [("guest-without-domain", "web-1", "suspected")]
    assert only().proofs == 1
    assert look() == [("guest-without-domain", "web-1", "suspected")]
    assert look() == [("guest-without-domain", "web-1", "open")]
    assert only().severity == "high"
    guest.refresh_from_db()
    assert (guest.lifecycle, guest.power_state) == ("active", "unknown")


def test_a_silent_host_proves_nothing(guest, one_host, fleet, look, kvm, customer):
    order(customer, name="neighbour")
    jobs_run()
    look()
    fleet.admin.drop_domain(one_host.name, guest.pk)
    assert look() == [("guest-without-domain", "web-1", "suspected")]
    fleet.admin.set_fault(one_host.name, "domain_descriptions", FaultKind.ERROR, error=DriverError, times=2)
    with pytest.raises(DriverError):
        compare_connection(driver_of(kvm), kvm, anew=True)
    kvm.refresh_from_db()
    assert kvm.comparison.error == "The hypervisor refused the request."
    assert found() == [("guest-without-domain", "web-1", "suspected")]


def test_repair_makes_a_lost_domain_again_and_starts_it(guest, one_host, fleet, look, customer, staff):
    order(customer, name="neighbour")
    jobs_run()
    fleet.admin.drop_domain(one_host.name, guest.pk)
    for _ in range(3):
        look()
    settled = actions.difference_repair(actor=staff, difference=only())
    assert settled.takes_effect == "now"
    assert [job.status for job in jobs_run()] == ["success"]
    assert fleet.admin.dump_host(one_host.name).domains[guest.pk].state is PowerState.RUNNING
    assert found("closed") == [("guest-without-domain", "web-1", "closed")]
    assert look() == []


def test_a_wrong_size_is_set_right_at_the_next_start(guest, one_host, fleet, look, staff):
    fleet.admin.change_domain(one_host.name, guest.pk, memory_mib=1024)
    assert look() == [("wrong-size", "web-1", "open")]
    row = only()
    assert (row.expected, row.found) == ({"vcpus": 1, "memory_mib": 256}, {"vcpus": 1, "memory_mib": 1024})
    settled = actions.difference_repair(actor=staff, difference=row)
    assert settled.takes_effect == "at the next start"
    assert [job.status for job in jobs_run()] == ["success"]
    domain = fleet.admin.dump_host(one_host.name).domains[guest.pk]
    assert (domain.spec.memory_mib, domain.state, domain.starts) == (256, PowerState.RUNNING, 1)
    assert look() == []
    audited = AuditEntry.objects.get(action="difference.repair.requested")
    assert (audited.object_label, audited.actor_label) == ("Wrong size: web-1", staff.label)


@pytest.mark.parametrize("change", ["bridge", "address", "filter", "mac"])
def test_a_wrong_network_is_seen_and_repaired(guest, one_host, fleet, look, staff, change):
    (nic,) = fleet.admin.dump_host(one_host.name).domains[guest.pk].spec.nics
    changed = {
        "bridge": replace(nic, bridge="other0"),
        "address": replace(nic, addresses=(*nic.addresses, replace(nic.addresses[0], address="10.77.0.77"))),
        "filter": replace(nic, anti_spoofing=False),
        "mac": replace(nic, mac="52:54:00:00:00:01"),
    }[change]
    fleet.admin.change_domain(one_host.name, guest.pk, nics=[changed])
    kinds = [kind for kind, _, _ in look()]
    assert kinds == (["address-not-allocated"] if change == "address" else []) + ["wrong-network"]
    row = Difference.objects.get(kind="wrong-network")
    assert row.severity == ("high" if change in ("address", "filter") else "medium")
    actions.difference_repair(actor=staff, difference=row)
    assert [job.status for job in jobs_run()] == ["success"]
    assert look() == []


def test_an_address_that_something_uses_is_not_given_out(guest, customer, one_host, fleet, look):
    first = IPAddress.objects.filter(owner_id=None, family=4).order_by("order")[0]
    (nic,) = fleet.admin.dump_host(one_host.name).domains[guest.pk].spec.nics
    used = replace(nic, addresses=(*nic.addresses, replace(nic.addresses[0], address=first.address)))
    fleet.admin.change_domain(one_host.name, guest.pk, nics=[used])
    look()
    neighbour = order(customer, name="neighbour").guest
    assert not IPAddress.objects.filter(owner_id=neighbour.pk, address=first.address).exists()
    long_ago = timezone.now() - SEEN_USED_FOR - timedelta(minutes=1)
    IPAddress.objects.filter(pk=first.pk).update(seen_used_at=long_ago)
    later = order(customer, name="later").guest
    assert IPAddress.objects.filter(owner_id=later.pk, address=first.address).exists()


def test_a_repair_that_failed_is_tried_again_while_its_difference_is_open(
    guest, customer, one_host, fleet, look, staff, admin_api, owner_api
):
    box = order(customer, name="box", host_type="lxc").guest
    jobs_run()
    fleet.admin.change_domain(one_host.name, box.pk, max_processes=7)
    look()
    fleet.admin.set_fault(one_host.name, "domain_define", FaultKind.ERROR, error=DriverError)
    asked = actions.difference_repair(actor=staff, difference=only()).job
    assert [job.status for job in jobs_run()] == ["error"]
    assert asked is not None
    path = f"/jobs/{asked.pk}"
    assert (admin_api.get(path).json()["can_retry"], owner_api.get(path).json()["can_retry"]) == (True, False)
    problem(owner_api.post(f"{path}/actions/retry"), 403, "permission_denied")
    assert admin_api.post(f"{path}/actions/retry").status_code == 202
    assert [(job.action, job.status) for job in jobs_run()] == [("guest.repair", "success")]
    assert look() == []
    problem(admin_api.post(f"{path}/actions/retry"), 409, "invalid_state")


def test_other_changes_by_hand_are_seen(guest, customer, one_host, fleet, look, staff):
    box = order(customer, name="box", host_type="lxc").guest
    jobs_run()
    fleet.admin.change_domain(one_host.name, box.pk, max_processes=7)
    assert look() == [("configuration-changed", "box", "open")]
    told = {"changes": [{"part": "max_processes", "change": "changed"}], "more": 0}
    assert (only().severity, only().found) == ("low", told)
    actions.difference_repair(actor=staff, difference=only())
    jobs_run()
    assert look() == []


def test_a_device_of_the_host_added_by_hand_is_severe_and_named_also_beside_a_wrong_size(
    guest, one_host, fleet, look, monkeypatch
):
    comment = ConfigurationChange(part="description", change=PartChange.ADDED)
    mount = ConfigurationChange(part="filesystem /etc at /mnt", change=PartChange.ADDED, reaches_host=True)
    changes = [comment]
    monkeypatch.setattr(SimulatedDriver, "domain_changes", lambda self, spec: tuple(changes))
    told = {"part": "description", "change": "added"}
    assert look() == [("configuration-changed", "web-1", "open")]
    assert (only().severity, only().found) == ("low", {"changes": [told], "more": 0})
    changes[:] = [comment] * MOST_PARTS + [mount]
    look()
    worst = {"part": mount.part, "change": "added"}
    assert (only().severity, only().found) == ("high", {"changes": [worst, *[told] * (MOST_PARTS - 1)], "more": 1})
    fleet.admin.change_domain(one_host.name, guest.pk, memory_mib=512)
    assert look() == [("configuration-changed", "web-1", "open"), ("wrong-size", "web-1", "open")]
    row = Difference.objects.get(kind="configuration-changed", state="open")
    assert (row.severity, row.found) == ("high", {"changes": [worst], "more": 0})


def test_a_new_name_in_the_panel_is_no_difference(guest, look):
    Guest.objects.update(name="renamed")
    assert look() == []


def test_an_address_of_nobody_is_given_back(guest, look, staff):
    row = IPAddress.objects.filter(owner_id=None, family=4)[0]
    IPAddress.objects.filter(pk=row.pk).update(owner_id=uuid.uuid4(), taken_at=timezone.now() - timedelta(hours=1))
    assert look() == [("address-without-guest", row.address, "open")]
    actions.difference_release(actor=staff, difference=only())
    row.refresh_from_db()
    assert row.owner_id is None
    assert look() == []


def test_totals_that_are_not_the_sum_are_set_right(guest, one_host, look, staff, customer):
    Host.objects.filter(pk=one_host.pk).update(used_vcpus=9)
    StoragePool.objects.update(used_gib=9)
    Customer.objects.filter(pk=customer.pk).update(used_addresses=5)
    assert [kind for kind, _, _ in look()] == ["total-wrong"] * 3
    for row in Difference.objects.filter(state="open"):
        actions.difference_repair(actor=staff, difference=row)
    assert look() == []
    assert (Host.objects.get(pk=one_host.pk).used_vcpus, StoragePool.objects.get().used_gib) == (1, 2)
    assert Customer.objects.get(pk=customer.pk).used_addresses == 1


def test_an_ignored_difference_comes_back_when_it_changes(guest, one_host, fleet, look, staff):
    fleet.admin.change_domain(one_host.name, guest.pk, memory_mib=1024)
    look()
    actions.difference_ignore(actor=staff, difference=only(), reason="A test of mine")
    assert look() == []
    row = only()
    assert (row.state, row.ignored_by, row.ignored_reason) == ("ignored", staff.label, "A test of mine")
    fleet.admin.change_domain(one_host.name, guest.pk, memory_mib=2048)
    assert look() == [("wrong-size", "web-1", "open")]
    assert only().ignored_reason == ""


def test_a_guest_at_work_is_left_out(guest, one_host, fleet, kvm, look):
    fleet.admin.change_domain(one_host.name, guest.pk, memory_mib=1024)
    look()
    factories.job_make(action="guest.start", guest_id=guest.pk)
    fleet.admin.change_domain(one_host.name, guest.pk, memory_mib=256)
    assert look() == [("wrong-size", "web-1", "open")]
    Difference.objects.all().delete()
    fleet.admin.change_domain(one_host.name, guest.pk, memory_mib=1024)
    assert look() == []


def test_what_a_job_changed_while_the_host_was_asked_is_no_difference(guest, one_host, kvm):
    turn = turn_take(kvm)
    assert turn is not None
    host = survey(driver_of(kvm), kvm, with_volumes=True, turn=turn)
    act(guest, GuestAction.STOP)
    assert host_compare(connection=kvm, host=replace(host, domains=()), turn=turn)
    assert found() == []


def test_what_is_only_suspected_is_looked_at_again_after_a_minute(guest, customer, one_host, fleet, kvm, look):
    order(customer, name="neighbour")
    jobs_run()

    def due_after(seconds: int) -> bool:
        Comparison.objects.update(began_at=timezone.now() - timedelta(seconds=seconds))
        return connections_due().filter(pk=kvm.pk).exists()

    assert look() == []
    assert not due_after(SUSPECT_AGAIN_S + 1)
    fleet.admin.drop_domain(one_host.name, guest.pk)
    assert look() == [("guest-without-domain", "web-1", "suspected")]
    assert not due_after(SUSPECT_AGAIN_S - 5)
    assert turn_take(kvm) is None
    assert due_after(SUSPECT_AGAIN_S + 1)
    assert turn_take(kvm)


def test_two_collectors_do_not_compare_twice(kvm):
    assert compare_connection(driver_of(kvm), kvm)
    assert not compare_connection(driver_of(kvm), kvm)
    assert compare_connection(driver_of(kvm), kvm, anew=True)


def test_a_check_of_the_host_compares_it(guest, one_host, fleet):
    from hosts.services.hosts import host_check

    fleet.admin.make_foreign_domain(one_host.name, uuid.uuid4(), name="legacy")
    host_check(actor=SYSTEM, host=one_host)
    assert [job.status for job in jobs_run()] == ["success"]
    assert found() == [("domain-without-guest", "legacy", "open")]


def test_nothing_is_done_about_what_is_only_suspected(guest, one_host, fleet, look, staff):
    fleet.admin.drop_domain(one_host.name, guest.pk)
    look()
    with pytest.raises(InvalidStateError, match="only suspected"):
        actions.difference_repair(actor=staff, difference=Difference.objects.get(kind="guest-without-domain"))
    assert jobs_run() == []
    assert driver_for(one_host.pk, HostType.KVM).domain_list() == []


def test_a_running_guest_without_a_configuration_on_its_host_is_told(guest, kvm, staff):
    turn = turn_take(kvm)
    assert turn is not None
    host = survey(driver_of(kvm), kvm, with_volumes=True, turn=turn)
    (domain,) = host.domains
    assert host_compare(connection=kvm, host=replace(host, domains=(replace(domain, persistent=False),)), turn=turn)
    row = only()
    assert (row.kind, row.severity, row.found) == ("configuration-changed", "medium", {"persistent": False})
