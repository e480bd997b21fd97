"""The job kernel: one holder, fencing, leases, slots, waiting, undo, cancellation."""

import threading
import uuid
from datetime import timedelta

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone

from panel.core import cancelling, doorbell, jobs, operations, sweeper, tasks
from panel.core.actors import SYSTEM
from panel.core.errors import (
    DriverError,
    HostUnreachableError,
    InvalidStateError,
    JobLostError,
    ResourceBusyError,
    WaitError,
)
from panel.core.host_slots import EVERY_JOB
from panel.core.models import HostSlot, Job, JobResource, JobStatus, JobUndo
from panel.core.operations import Operation, Step
from tests.concurrency.http import at_once

pytestmark = pytest.mark.django_db(transaction=True)
TRACE: list[str] = []


class Probe(Operation):
    """An operation whose steps say what they do and fail as the test wants."""

    action = "test.probe"
    steps = (Step("first", "First"), Step("second", "Second"))
    fails: dict[str, Exception] = {}

    def first(self) -> None:
        self.undo("unmake", what="first")
        self._do("first")

    def second(self) -> None:
        self.undo("unmake", what="second")
        self._do("second")

    def _do(self, name: str) -> None:
        TRACE.append(name)
        if error := self.fails.get(name):
            raise error

    def undo_unmake(self, *, what: str) -> None:
        if error := self.fails.get(f"undo {what}"):
            raise error
        TRACE.append(f"undo {what}")

    def succeeded(self) -> None:
        TRACE.append("succeeded")

    def failed(self, error: Exception) -> None:
        TRACE.append("failed")


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch):
    """Register the probe for one test."""
    TRACE.clear()
    monkeypatch.setattr(Probe, "fails", {})
    monkeypatch.setitem(operations._REGISTRY, "test.probe", Probe)
    return Probe


def submit(resource: uuid.UUID | None = None, **fields) -> Job:
    return jobs.job_submit(action="test.probe", actor=SYSTEM, resources=[("thing", resource or uuid.uuid4())], **fields)


def claim(job: Job, worker: str = "w") -> Job:
    claimed = jobs.job_claim(job.pk, worker=worker)
    assert claimed is not None
    return claimed


def claim_and_run(job: Job) -> Job:
    tasks.run(claim(job))
    return Job.objects.get(pk=job.pk)


def test_success_runs_the_steps_in_order_and_forgets_the_undo():
    job = claim_and_run(submit())
    assert TRACE == ["first", "second", "succeeded"]
    assert (job.status, job.progress_percent, job.attempt) == (JobStatus.SUCCESS, 100, 1)
    assert [(s["name"], s["status"]) for s in job.steps] == [("first", "success"), ("second", "success")]
    assert JobUndo.objects.count() == 0
    assert job.resources.get().slot is None


def test_final_failure_undoes_last_first_and_closes_the_job(probe):
    probe.fails = {"second": DriverError("No.", detail="raw words")}
    job = claim_and_run(submit())
    assert TRACE == ["first", "second", "undo second", "undo first", "failed"]
    assert (job.status, job.error_code, job.error_message) == (JobStatus.ERROR, "driver_failed", "No.")
    assert job.error_detail == "raw words"
    assert JobUndo.objects.count() == 0


def test_undo_that_fails_stays_in_the_journal(probe):
    probe.fails = {"second": DriverError("No."), "undo first": HostUnreachableError()}
    job = claim_and_run(submit())
    assert job.status == JobStatus.ERROR
    assert [entry.before for entry in JobUndo.objects.all()] == [{"what": "first"}]
    assert "Not undone" in job.error_detail


def test_programming_errors_end_the_job_with_a_plain_sentence(probe):
    probe.fails = {"first": ZeroDivisionError("secret internals")}
    job = claim_and_run(submit())
    assert (job.status, job.error_code) == (JobStatus.ERROR, "internal_error")
    assert "internals" not in job.error_message
    assert "secret internals" in job.error_detail


def test_retryable_error_queues_again_and_keeps_the_resource(probe, settings):
    settings.JOB_RETRY_LIMIT = 1
    probe.fails = {"second": HostUnreachableError()}
    job = claim_and_run(submit())
    assert (job.status, job.retries) == (JobStatus.QUEUED, 1)
    assert job.run_after is not None
    assert job.run_after > timezone.now()
    assert job.resources.get().slot == "holding"
    assert jobs.job_claim(job.pk, worker="too early") is None
    Job.objects.update(run_after=None)
    job = claim_and_run(job)
    assert (job.status, job.attempt, job.error_code) == (JobStatus.ERROR, 2, "host_unreachable")


def test_waiting_is_no_retry(probe):
    probe.fails = {"first": WaitError()}
    job = claim_and_run(submit())
    assert (job.status, job.retries) == (JobStatus.QUEUED, 0)


def test_one_claim_wins():
    job = submit()
    claims = at_once(8, lambda _: jobs.job_claim(job.pk, worker="w"))
    assert sum(claim is not None for claim in claims) == 1
    assert Job.objects.get(pk=job.pk).attempt == 1


def test_one_submit_wins_and_the_others_leave_nothing():
    thing = uuid.uuid4()

    def attempt(_: int) -> Job | ResourceBusyError:
        try:
            return submit(thing)
        except ResourceBusyError as error:
            return error

    outcomes = at_once(8, attempt)
    won = [outcome for outcome in outcomes if isinstance(outcome, Job)]
    assert len(won) == 1
    assert Job.objects.count() == 1
    assert {o.facts["job_id"] for o in outcomes if isinstance(o, ResourceBusyError)} == {str(won[0].pk)}


def test_waiting_job_runs_after_the_holder_and_a_third_is_refused():
    thing = uuid.uuid4()
    first, second = submit(thing), submit(thing, may_wait=True)
    with pytest.raises(ResourceBusyError):
        submit(thing, may_wait=True)
    assert jobs.job_claim(second.pk, worker="w") is None
    claim_and_run(first)
    assert JobResource.objects.get(job=second).slot == "holding"
    assert claim_and_run(second).status == JobStatus.SUCCESS


def test_overtaken_attempt_can_neither_write_nor_call():
    job = submit()
    old = claim(job, "old")
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweeper.sweep()
    new = claim(job, "new")
    assert (old.attempt, new.attempt) == (1, 2)
    with pytest.raises(JobLostError):
        jobs.job_verify(old)
    with pytest.raises(JobLostError):
        jobs.job_report(old, step="x")
    assert jobs.job_renew(old) is False
    tasks.run(old)
    assert TRACE == []
    assert Job.objects.get(pk=job.pk).status == JobStatus.RUNNING
    tasks.run(new)
    assert Job.objects.get(pk=job.pk).status == JobStatus.SUCCESS


def test_sweeper_leaves_living_attempts_alone_and_sends_what_nobody_claimed(monkeypatch):
    sent = []
    job, living = submit(), submit()

    def take(job_id: uuid.UUID, queue: str) -> bool:
        sent.append((job_id, queue))
        return True

    monkeypatch.setattr(sweeper, "send", take)
    jobs.job_claim(living.pk, worker="w")
    Job.objects.filter(pk=job.pk).update(sent_at=timezone.now() - timedelta(minutes=1))
    sweeper.sweep()
    assert sent == [(job.pk, "jobs")]
    assert Job.objects.get(pk=living.pk).status == JobStatus.RUNNING


def test_the_sweeper_adds_no_messages_to_a_queue_that_has_enough(monkeypatch):
    waiting = {"jobs": sweeper.ENOUGH_MESSAGES, "builder": sweeper.ENOUGH_MESSAGES - 1}
    sent = []
    job, image = submit(), submit(queue="builder")

    def take(job_id: uuid.UUID, queue: str) -> bool:
        sent.append(job_id)
        return True

    monkeypatch.setattr(sweeper, "messages_waiting", waiting.get)
    monkeypatch.setattr(sweeper, "send", take)
    for now_waiting, expected in ((waiting["jobs"], [image.pk]), (0, [image.pk, job.pk, image.pk])):
        waiting["jobs"] = now_waiting
        Job.objects.update(sent_at=timezone.now() - timedelta(minutes=1))
        sweeper.sweep()
        assert sent == expected


def test_messages_that_wait_are_counted():
    queue = f"t-{uuid.uuid4().hex[:12]}"
    assert doorbell.messages_waiting(queue) == 0
    job = submit(queue=queue)
    jobs.send(job.pk, queue)
    assert doorbell.messages_waiting(queue) == 2


def test_without_a_broker_the_sweeper_runs_the_jobs(monkeypatch, settings):
    def no_broker(*_, **__):
        raise OSError("no broker")

    monkeypatch.setattr(current_app, "send_task", no_broker)
    made = [submit() for _ in range(5)]
    assert set(Job.objects.values_list("sent_at", flat=True)) == {None}
    for _ in range(100):
        sweeper.sweep()
        if not Job.objects.exclude(status=JobStatus.SUCCESS).exists():
            break
        threading.Event().wait(0.05)
    assert set(Job.objects.values_list("status", "attempt")) == {(JobStatus.SUCCESS, 1)}
    assert Job.objects.count() == len(made)


def test_host_slots_bound_parallel_work_and_a_freed_one_rings_the_next(monkeypatch):
    rung = []
    host = uuid.uuid4()
    HostSlot.objects.create(host_id=host, kind="build", number=0)
    first, second = (submit(host_id=host, slot_kind="build") for _ in range(2))
    claimed = claim(first)
    assert jobs.job_claim(second.pk, worker="w") is None
    assert Job.objects.get(pk=second.pk).attempt == 0
    monkeypatch.setattr(jobs, "send", lambda job_id, queue, **_: rung.append(job_id))
    tasks.run(claimed)
    assert rung == [second.pk]
    assert HostSlot.objects.get().job is None
    assert jobs.job_claim(second.pk, worker="w") is not None


def test_every_job_on_a_host_counts_and_those_of_other_hosts_go_on(monkeypatch):
    rung = []
    hanging, other = uuid.uuid4(), uuid.uuid4()
    for host in (hanging, other):
        HostSlot.objects.bulk_create(HostSlot(host_id=host, kind=EVERY_JOB, number=n) for n in range(2))
        HostSlot.objects.create(host_id=host, kind="build", number=0)
    kinds = ("build", "", "", "build")
    built, started, stopped, waits = (submit(host_id=hanging, slot_kind=kind) for kind in kinds)
    running = [claim(built), claim(started)]
    for job in (stopped, waits):
        assert jobs.job_claim(job.pk, worker="w") is None
    assert not sweeper.jobs_due().filter(pk__in=[stopped.pk, waits.pk]).exists()
    elsewhere = submit(host_id=other)
    Job.objects.update(sent_at=timezone.now() - timedelta(hours=1))
    assert sweeper.jobs_due().filter(pk=elsewhere.pk).exists()
    assert jobs.job_claim(elsewhere.pk, worker="w") is not None

    monkeypatch.setattr(jobs, "send", lambda job_id, queue, **_: rung.append(job_id))
    tasks.run(running[1])
    assert rung == [stopped.pk]  # the build that waits has no slot of its kind
    tasks.run(running[0])
    assert rung == [stopped.pk, stopped.pk, waits.pk]
    assert HostSlot.objects.filter(host_id=hanging, job__isnull=False).count() == 0


def test_slot_of_a_kind_is_not_kept_when_the_host_bears_no_more_jobs():
    host = uuid.uuid4()
    HostSlot.objects.create(host_id=host, kind=EVERY_JOB, number=0)
    HostSlot.objects.create(host_id=host, kind="build", number=0)
    claim(submit(host_id=host))
    assert jobs.job_claim(submit(host_id=host, slot_kind="build").pk, worker="w") is None
    assert HostSlot.objects.get(kind="build").job is None


def test_cancel_of_a_queued_job_touches_nothing():
    job = submit()
    cancelling.job_cancel(job_id=job.pk)
    job = claim_and_run(job)
    assert (job.status, job.error_code) == (JobStatus.CANCELLED, "job_cancelled")
    assert TRACE == ["failed"]
    with pytest.raises(InvalidStateError):
        cancelling.job_cancel(job_id=job.pk)


def test_cancel_of_a_running_job_is_honoured_at_the_next_checkpoint(monkeypatch):
    job = submit()
    original = Probe.first

    def first(self):
        original(self)
        cancelling.job_cancel(job_id=job.pk)

    monkeypatch.setattr(Probe, "first", first)
    job = claim_and_run(job)
    assert job.status == JobStatus.CANCELLED
    assert TRACE == ["first", "undo first", "failed"]


def test_lease_is_renewed_while_a_step_runs(settings, monkeypatch):
    settings.JOB_LEASE_S, settings.JOB_RENEW_S = 0.6, 0.1
    job = submit()
    waited = threading.Event()
    monkeypatch.setattr(Probe, "first", lambda self: waited.wait(1.5))
    claimed = claim(job)
    runner = threading.Thread(target=_run_and_close, args=(claimed,))
    runner.start()
    for _ in range(10):
        sweeper.sweep()
        assert Job.objects.get(pk=job.pk).attempt == 1
        waited.wait(0.1)
    waited.set()
    runner.join()
    assert Job.objects.get(pk=job.pk).status == JobStatus.SUCCESS


def _run_and_close(job: Job) -> None:
    try:
        tasks.run(job)
    finally:
        connection.close()
