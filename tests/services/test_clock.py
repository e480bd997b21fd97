"""A clock that jumps by an hour: of one process, or of the database. Jobs go on, and what is seen is written."""

import threading
import time
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from hosts.models import Host, HostConnection
from hosts.models.watches import LiveCollector
from hosts.services.jobs import host_job
from hosts.services.watches import watches_renew
from panel.core import jobs
from panel.core.actors import SYSTEM
from panel.core.models import Job
from panel.core.models.jobs import ACTIVE
from panel.core.sweeper import sweep
from tests.services.guests import order
from tests.services.watching import Looking
from tests.simulated_fleet import jobs_run
from vms.collector import chores
from vms.models import Guest

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """What the sweeper sends; nobody is rung."""
    found: list[UUID] = []

    def send(job_id: UUID, queue: str) -> bool:
        found.append(job_id)
        return True

    monkeypatch.setattr("panel.core.sweeper.send", send)
    return found


class OneRound(threading.Event):
    """Ends a collector's chores at their first rest."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def queued() -> Job:
    return jobs.job_submit(action="host.check", actor=SYSTEM, resources=[])


@pytest.fixture(params=[HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> timedelta:
    """The clock of this process is wrong, the database's is not."""
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + request.param)
    return request.param


def test_a_process_with_a_wrong_clock_carries_jobs_out(customer, one_host, wrong_clock):
    guest = order(customer).guest
    assert [job.status for job in jobs_run()] == ["success"]
    guest.refresh_from_db()
    assert (guest.lifecycle, guest.power_state) == ("active", "running")
    # By the database's clock, as collectors write it: otherwise what they see next would count as older.
    assert abs(guest.observed_at - (timezone.now() - wrong_clock)) < timedelta(minutes=1)


def test_a_host_that_was_checked_with_a_wrong_clock_was_seen_now(one_host, wrong_clock):
    host_job(actor=SYSTEM, host=one_host, action="host.check")
    assert [job.status for job in jobs_run()] == ["success"]
    now = timezone.now() - wrong_clock
    seen = [*one_host.connections.values_list("last_seen_at", flat=True), Host.objects.get(pk=one_host.pk).last_seen_at]
    assert [at for at in seen if at is None or abs(at - now) > timedelta(minutes=1)] == []


def test_a_sweeper_with_a_wrong_clock_sends_what_is_due_and_nothing_else(wrong_clock, sent):
    lost, fresh, later = queued(), queued(), queued()
    now = timezone.now() - wrong_clock
    Job.objects.filter(pk=lost.pk).update(sent_at=now - timedelta(minutes=1))
    Job.objects.filter(pk=fresh.pk).update(sent_at=now)
    Job.objects.filter(pk=later.pk).update(sent_at=now - timedelta(minutes=1), run_after=now + timedelta(seconds=30))
    sweep()
    assert sent == [lost.pk]


def test_a_living_attempt_keeps_its_job_whatever_the_sweeper_s_clock_says(wrong_clock):
    job = jobs.job_claim(queued().pk, worker="w")
    assert job is not None
    sweep()
    jobs.job_verify(job)


def test_after_the_database_s_clock_was_set_back_a_dead_worker_s_job_is_not_kept_for_an_hour(settings, sent):
    job = jobs.job_claim(queued().pk, worker="dead")
    assert job is not None
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() + HOUR)
    sweep()
    now = Job.objects.get(pk=job.pk)
    assert now.status == "running"
    assert now.lease_until is not None
    assert now.lease_until <= timezone.now() + timedelta(seconds=settings.JOB_LEASE_S)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())
    sweep()
    assert Job.objects.get(pk=job.pk).status == "queued"


def test_after_the_database_s_clock_was_set_back_nothing_waits_for_an_hour(sent):
    put_off, rung = queued(), queued()
    Job.objects.filter(pk=put_off.pk).update(run_after=timezone.now() + HOUR, sent_at=timezone.now() + HOUR)
    Job.objects.filter(pk=rung.pk).update(sent_at=timezone.now() + HOUR)
    sweep()
    assert jobs.job_claim(put_off.pk, worker="w") is not None
    Job.objects.filter(pk=rung.pk).update(sent_at=timezone.now() - timedelta(minutes=1))
    sweep()
    assert rung.pk in sent


def test_after_the_database_s_clock_was_set_back_what_hosts_report_is_written(customer, one_host, fleet):
    guest = order(customer).guest
    jobs_run()
    later = timezone.now() + HOUR
    load = {"busy_ns": 0, "total_ns": 0, "at": later.isoformat()}
    Guest.objects.filter(pk=guest.pk).update(observed_at=later, off_since=later)
    Host.objects.update(last_seen_at=later, load_sample=load, load_memory_percent=None)
    HostConnection.objects.update(last_seen_at=later)
    fleet.admin.guest_poweroff(one_host.name, guest.pk)
    looking = Looking(HostConnection.objects.get(host=one_host, host_type="kvm").pk)
    chores.run_chores(OneRound())
    guest.refresh_from_db()
    assert guest.off_since is not None
    assert guest.off_since <= timezone.now()
    looking.look()
    now = timezone.now()
    guest.refresh_from_db()
    assert guest.power_state == "shutoff"
    seen = HostConnection.objects.get(host=one_host, host_type="kvm").last_seen_at
    host = Host.objects.get(pk=one_host.pk)
    assert [at for at in (seen, guest.observed_at, host.last_seen_at) if at is None or at > now] == []
    assert host.load_memory_percent is not None
    fleet.admin.set_reachable(one_host.name, False)
    looking.look()
    assert HostConnection.objects.get(host=one_host, host_type="kvm").last_error != ""
    guest.refresh_from_db()
    assert guest.power_state == "unknown"


def test_after_the_database_s_clock_was_set_back_a_dead_collector_s_hosts_are_free_after_its_lease(one_host, settings):
    dead, living = uuid4(), uuid4()
    assert watches_renew(collector_id=dead, name="dead").host_ids == {one_host.pk}
    LiveCollector.objects.filter(pk=dead).update(seen_at=timezone.now() + HOUR)
    chores.run_chores(OneRound())
    assert LiveCollector.objects.get(pk=dead).seen_at <= timezone.now()
    settings.COLLECT_LEASE_S = 0.2
    time.sleep(0.3)
    assert watches_renew(collector_id=living, name="living").host_ids == {one_host.pk}


def test_times_a_moment_ahead_are_left_alone(one_host):
    soon = timezone.now() + timedelta(seconds=3)
    HostConnection.objects.update(last_seen_at=soon)
    chores.run_chores(OneRound())
    assert set(HostConnection.objects.values_list("last_seen_at", flat=True)) == {soon}


def test_after_the_clock_went_forward_a_living_attempt_that_is_overtaken_changes_nothing(customer, one_host):
    guest = order(customer).guest
    late = jobs.job_claim(Job.objects.get(status__in=ACTIVE).pk, worker="late")
    assert late is not None
    Job.objects.filter(pk=late.pk).update(lease_until=timezone.now() - HOUR)
    sweep()
    assert [job.status for job in jobs_run()] == ["success"]
    with pytest.raises(jobs.JobLostError):
        jobs.job_verify(late)
    assert Guest.objects.get(pk=guest.pk).lifecycle == "active"
