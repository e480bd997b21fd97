"""A deletion that failed goes on by itself."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.models import HostConnection
from panel.core.actors import SYSTEM
from panel.core.models import AuditEntry, Job
from tests.services.guests import order
from tests.simulated_fleet import jobs_run
from vms.collector.process import Collector
from vms.models import Guest
from vms.services.guests import guest_delete
from vms.services.unfinished import AGAIN_AFTER, deletions_go_on, next_try_at

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def undeleted(one_host, customer, fleet) -> Guest:
    """A guest whose deletion has failed."""
    guest = order(customer).guest
    jobs_run()
    fleet.admin.set_fault(one_host.name, "domain_undefine", FaultKind.ERROR, times=0)
    guest_delete(actor=SYSTEM, guest=guest)
    assert [job.status for job in jobs_run()] == ["error"]
    fleet.admin.clear_faults(one_host.name)
    guest.refresh_from_db()
    assert guest.lifecycle == "deleting"
    return guest


def let_time_pass() -> None:
    Job.objects.update(finished_at=timezone.now() - AGAIN_AFTER - timedelta(seconds=1))


def past(*, minutes: int, less: timedelta = timedelta(0)) -> None:
    """Let the last deletion have failed so long ago."""
    job = Job.objects.filter(action="guest.delete").latest("created_at")
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(minutes=minutes) + less)
    Job.objects.exclude(pk=job.pk).update(finished_at=timezone.now() - timedelta(days=1))


def test_it_is_tried_again_after_a_while(undeleted, one_host, fleet):
    assert deletions_go_on([one_host.pk]) == []
    let_time_pass()
    (job,) = deletions_go_on([one_host.pk])
    assert deletions_go_on([one_host.pk]) == []  # it is at work
    jobs_run()
    job.refresh_from_db()
    undeleted.refresh_from_db()
    assert (job.status, job.actor_kind, undeleted.lifecycle) == ("success", "system", "deleted")
    assert fleet.admin.dump_host(one_host.name).domains == {}
    assert AuditEntry.objects.filter(action="guest.delete.requested", actor_kind="system").count() == 2
    let_time_pass()
    assert deletions_go_on([one_host.pk]) == []


def test_each_failure_doubles_the_wait_up_to_six_hours(undeleted, one_host, fleet):
    fleet.admin.set_fault(one_host.name, "domain_undefine", FaultKind.ERROR, times=0)
    first_asked = Guest.objects.get().deletion_requested_at
    for minutes in (5, 10, 20, 40, 80, 160, 320, 360, 360):
        failed_at = Job.objects.filter(action="guest.delete").latest("finished_at").finished_at
        assert failed_at is not None
        assert next_try_at() == failed_at + timedelta(minutes=minutes)
        past(minutes=minutes, less=timedelta(seconds=5))
        assert deletions_go_on([one_host.pk]) == []
        past(minutes=minutes)
        assert len(deletions_go_on([one_host.pk])) == 1
        assert [job.status for job in jobs_run()] == ["error"]
    assert Guest.objects.get().deletion_requested_at == first_asked


def test_one_whose_job_is_not_known_any_more_is_tried_at_once(undeleted, one_host):
    Job.objects.filter(action="guest.delete").delete()
    assert len(deletions_go_on([one_host.pk])) == 1


def test_not_while_its_host_is_silent_and_not_of_other_hosts(undeleted, one_host, fleet):
    let_time_pass()
    assert deletions_go_on([fleet.host().pk]) == []
    HostConnection.objects.filter(host=one_host, host_type="kvm").update(last_error="The host does not answer.")
    assert deletions_go_on([one_host.pk]) == []


def test_nobody_else_s_server_is_touched(one_host, customer):
    order(customer)
    jobs_run()
    let_time_pass()
    assert deletions_go_on([one_host.pk]) == []


def test_the_collector_has_it_done_now_and_then(undeleted, one_host):
    let_time_pass()
    kvm = HostConnection.objects.get(host=one_host, host_type="kvm")
    collector: Any = Collector()
    work: list[Any] = []
    for lane in collector._lanes.values():
        lane.close()
    collector._lanes["write"] = SimpleNamespace(submit=work.append)
    collector._watches = {kvm.pk: SimpleNamespace(watcher=SimpleNamespace(connection=kvm), is_silent=False)}
    deletions = Job.objects.filter(action="guest.delete", status="queued")
    for late, submitted in ((False, 0), (True, 1)):
        collector._follow_up(late=late)
        work.pop()()
        assert deletions.count() == submitted
