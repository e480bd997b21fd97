"""A host that has forgotten all its servers: said once, nothing is taken for deleted, and they are made again."""

import pytest
from django.utils import timezone

from hosts.drivers.types import PowerState
from panel.core.models import AuditEntry, Job
from tests.services.comparing import found
from tests.services.guests import order
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.services.limiter import WINDOW
from vms.services.reconcile import actions

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def forgotten(one_host, customer, fleet, look) -> list[Guest]:
    """Three servers whose host knows none of them any more, as after ``rm /etc/libvirt/qemu/*``."""
    guests = [order(customer, name=f"web-{n}").guest for n in range(3)]
    jobs_run()
    assert look() == []
    for guest in guests:
        fleet.admin.drop_domain(one_host.name, guest.pk)
    return guests


def test_it_is_one_severe_difference_of_the_host_and_no_server_counts_as_deleted(forgotten, one_host, look):
    each = [("guest-without-domain", f"web-{n}") for n in range(3)]
    for state in ("suspected", "suspected", "open"):
        assert look() == [*((*one, state) for one in each), ("host-lost-guests", one_host.name, "open")]
    (host,) = Difference.objects.filter(severity="high")
    assert (host.kind, host.object_type, host.object_id) == ("host-lost-guests", "host", one_host.pk)
    assert (host.expected, host.found) == ({"guests": 3}, {"guests": 0, "restarted": False})
    assert set(Guest.objects.values_list("lifecycle", "power_state", "power_wanted")) == {("active", "unknown", "on")}
    assert Job.objects.exclude(status="success").count() == 0


def test_each_can_be_made_again_and_the_host_s_difference_closes(forgotten, one_host, fleet, look, staff):
    for _ in range(3):
        look()
    for row in Difference.objects.filter(kind="guest-without-domain"):
        actions.difference_repair(actor=staff, difference=row)
    assert [job.status for job in jobs_run()] == ["success"] * 3
    domains = fleet.admin.dump_host(one_host.name).domains
    assert {domains[guest.pk].state for guest in forgotten} == {PowerState.RUNNING}
    assert look() == []


def test_one_that_is_back_leaves_the_others_each_severe(forgotten, look, staff):
    for _ in range(3):
        look()
    actions.difference_repair(actor=staff, difference=Difference.objects.filter(kind="guest-without-domain")[0])
    jobs_run()
    assert [kind for kind, _, _ in look()] == ["guest-without-domain"] * 2
    assert set(Difference.objects.filter(state="open").values_list("severity", flat=True)) == {"high"}


def test_all_are_repaired_when_somebody_asks_as_fast_as_the_limiter_lets(forgotten, one_host, fleet, look, staff):
    for _ in range(3):
        look()
    assert jobs_run() == []  # never by itself
    actions.difference_repair(actor=staff, difference=Difference.objects.get(kind="host-lost-guests"))
    asked = AuditEntry.objects.get(action="difference.repair.requested")
    assert (asked.actor_label, asked.changes) == (staff.label, {"guests": [None, 3]})
    waiting = Difference.objects.filter(kind="guest-without-domain")
    assert set(waiting.values_list("repair_asked_by", flat=True)) == {staff.label}
    for done in (1, 2, 3):
        assert [(job.action, job.actor_kind, job.status) for job in jobs_run()] == [
            ("guest.repair", "system", "success")
        ]
        assert len(fleet.admin.dump_host(one_host.name).domains) == done
        look()
        stopped = Difference.objects.filter(kind="automatic-stopped", state="open")
        assert [row.found["waiting"] for row in stopped] == ([3 - done] if done < 3 else [])
        assert jobs_run() == []
        Job.objects.filter(action="guest.repair").update(created_at=timezone.now() - WINDOW)
        look()
    assert found() == []


def test_those_at_work_and_a_host_without_servers_are_no_sign(one_host, look):
    assert look() == []
