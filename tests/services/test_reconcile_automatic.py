"""What the reconciler repairs by itself, how often, and where the limiter stops it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from panel.core.models import Job
from tests.services.guests import order
from tests.simulated_fleet import jobs_run
from vms.models import Difference
from vms.services.limiter import WINDOW
from vms.services.reconcile.automatic import repairs_go_on
from vms.services.reconcile.stopped import stopped_tell

pytestmark = pytest.mark.django_db(transaction=True)


def test_missing_rules_are_loaded_again_by_itself(guest, one_host, fleet, look):
    fleet.admin.drop_rules(one_host.name, guest.pk)
    assert look() == [("filter-missing", "web-1", "open")]
    (job,) = jobs_run()
    assert (job.action, job.actor_kind, job.status) == ("guest.repair", "system", "success")
    assert look() == []


def test_rules_that_are_lost_again_are_loaded_again(guest, one_host, fleet, look):
    for _ in range(2):
        fleet.admin.drop_rules(one_host.name, guest.pk)
        look()
        assert [job.action for job in jobs_run()] == ["guest.repair"]
        assert look() == []


def test_a_repair_that_does_not_help_is_not_tried_again_at_once(guest, one_host, fleet, look):
    fleet.admin.drop_rules(one_host.name, guest.pk)
    fleet.admin.set_fault(one_host.name, "domain_protect", FaultKind.ERROR, times=0)
    look()
    assert [job.status for job in jobs_run()] == ["error"]
    look()
    assert jobs_run() == []
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=31))
    look()
    assert len(jobs_run()) == 1


def test_the_limiter_stops_what_would_touch_more_than_a_hundredth(one_host, customer, fleet, look):
    made = [order(customer, name=f"web-{n}").guest for n in range(3)]
    jobs_run()
    look()
    for guest in made:
        fleet.admin.drop_rules(one_host.name, guest.pk)
    kinds = [kind for kind, _, _ in look()]
    assert kinds == ["automatic-stopped", *["filter-missing"] * 3]
    said = Difference.objects.get(kind="automatic-stopped")
    assert (said.severity, said.expected) == ("high", {"at_most": 1, "minutes": 10})
    assert len(said.found.pop("names")) == 2
    assert said.found == {"done": 1, "waiting": 2, "repair": 2, "suspend": 0, "delete": 0}
    assert [job.action for job in jobs_run()] == ["guest.repair"]
    look()
    assert jobs_run() == []
    for _ in range(2):
        Job.objects.filter(action="guest.repair").update(created_at=timezone.now() - WINDOW)
        look()
        assert len(jobs_run()) == 1
    assert look() == []


def test_what_the_limiter_stops_costs_as_many_statements_however_many_servers_wait(one_host, customer, fleet, look):
    def statements(*names: str) -> int:
        made = [order(customer, name=name).guest for name in names]
        jobs_run()
        look()
        for guest in made:
            fleet.admin.drop_rules(one_host.name, guest.pk)
        look()
        with CaptureQueriesContext(connection) as queries:
            assert repairs_go_on(host_id=one_host.pk, host_type="kvm") == []
            stopped_tell()
        return len(queries)

    few = statements("one", "two", "three")
    assert statements("four", "five", "six", "seven") == few
    assert Difference.objects.get(kind="automatic-stopped").found["waiting"] == 6
