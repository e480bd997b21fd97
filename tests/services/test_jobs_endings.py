"""How jobs end that are cancelled, cut off, unknown or cannot be written down."""

import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from panel.core import cancelling, jobs, operations, sweeper, tasks
from panel.core.actors import SYSTEM
from panel.core.errors import DriverError, HostUnreachableError, JobLostError
from panel.core.models import HostSlot, Job, JobStatus, JobUndo
from tests.services.test_jobs import TRACE, Probe, claim, claim_and_run, probe, submit  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)


def closing(call: Callable[[], object]) -> None:
    try:
        with transaction.atomic():
            call()
    finally:
        connection.close()


def take_back(job: Job) -> None:
    """Let a running attempt's lease run out."""
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweeper.sweep()


# ── cancelled before the first attempt ──────────────────────────────────────────────────────────────
def test_cancel_before_the_first_attempt_waits_for_no_resource_time_or_slot():
    host, thing = uuid.uuid4(), uuid.uuid4()
    HostSlot.objects.create(host_id=host, kind="build", number=0, job=submit())
    submit(thing)
    waiting, slotless, later = submit(thing, may_wait=True), submit(host_id=host, slot_kind="build"), submit()
    Job.objects.filter(pk=later.pk).update(run_after=timezone.now() + timedelta(hours=1))
    for job in (waiting, slotless, later):
        assert jobs.job_claim(job.pk, worker="w") is None
        cancelling.job_cancel(job_id=job.pk)
        assert claim_and_run(job).status == JobStatus.CANCELLED
    assert TRACE == ["failed"] * 3
    assert HostSlot.objects.get().job != slotless


def test_a_job_that_was_begun_waits_its_time_also_when_it_is_cancelled():
    job = submit()
    Job.objects.filter(pk=job.pk).update(attempt=1, run_after=timezone.now() + timedelta(hours=1))
    cancelling.job_cancel(job_id=job.pk)
    assert jobs.job_claim(job.pk, worker="w") is None


def test_cancel_ends_a_job_whose_failure_cannot_be_recorded(monkeypatch):
    def failed(self, error):
        JobUndo.objects.create(job=self.job, step="x", inverse="y")  # must not stay
        raise AttributeError("not prepared")

    monkeypatch.setattr(Probe, "failed", failed)
    job = submit()
    cancelling.job_cancel(job_id=job.pk)
    job = claim_and_run(job)
    assert (job.status, job.error_code) == (JobStatus.CANCELLED, "job_cancelled")
    assert "not prepared" in job.error_detail
    assert JobUndo.objects.count() == 0
    assert job.resources.get().slot is None


def test_what_a_cancelled_job_could_not_undo_is_said(probe, monkeypatch):  # noqa: F811
    job = submit()
    monkeypatch.setattr(Probe, "second", lambda self: cancelling.job_cancel(job_id=job.pk))
    monkeypatch.setattr(Probe, "steps", (*Probe.steps, operations.Step("third", "Third")))
    probe.fails = {"undo first": DriverError("It is in use.")}
    job = claim_and_run(job)
    assert job.status == JobStatus.CANCELLED
    assert job.error_detail == "Not undone:\nunmake: It is in use."
    assert JobUndo.objects.count() == 1


def test_dropping_records_the_failure_and_lets_the_next_one_in(monkeypatch):
    thing = uuid.uuid4()
    job, following = submit(thing), submit(thing, may_wait=True)
    assert cancelling.job_drop(job, reason="Pointless now.") is True
    job.refresh_from_db()
    assert (job.status, job.error_code, job.error_message) == (JobStatus.CANCELLED, "job_cancelled", "Pointless now.")
    assert TRACE == ["failed"]
    assert following.resources.get().slot == "holding"
    claim(following)
    assert cancelling.job_drop(following, reason="Too late.") is False
    assert Job.objects.get(pk=following.pk).status == JobStatus.RUNNING


# ── attempts that end badly ─────────────────────────────────────────────────────────────────────────
def test_success_that_cannot_be_recorded_is_a_failure(monkeypatch):
    def succeeded(self):
        raise IntegrityError("taken by somebody else")

    monkeypatch.setattr(Probe, "succeeded", succeeded)
    job = claim_and_run(submit())
    assert (job.status, job.error_code) == (JobStatus.ERROR, "internal_error")
    assert TRACE == ["first", "second", "undo second", "undo first", "failed"]


def test_unknown_action_is_left_to_others_for_a_while_and_then_ends(settings):
    settings.JOB_RETRY_LIMIT = 1
    job = jobs.job_submit(action="test.unheard-of", actor=SYSTEM, resources=[("thing", uuid.uuid4())])
    job = claim_and_run(job)
    assert (job.status, job.retries) == (JobStatus.QUEUED, 1)
    Job.objects.update(run_after=None)
    job = claim_and_run(job)
    assert (job.status, job.error_code) == (JobStatus.ERROR, "internal_error")
    assert job.resources.get().slot is None


def test_job_whose_workers_die_is_given_up_and_undone(settings):
    settings.JOB_RETRY_LIMIT = 2
    job = submit()
    claimed = claim(job)
    JobUndo.objects.create(job=job, step="first", inverse="unmake", before={"what": "first"})
    for retries in (1, 2, 3):
        take_back(claimed)
        assert Job.objects.get(pk=job.pk).retries == retries
        claimed = claim(job)
    tasks.run(claimed)
    job.refresh_from_db()
    assert (job.status, job.error_code, job.attempt) == (JobStatus.ERROR, "job_given_up", 4)
    assert TRACE == ["undo first", "failed"]


def test_given_up_job_ends_also_when_preparing_is_what_kills_its_workers(settings, monkeypatch):
    monkeypatch.setattr(Probe, "prepare", lambda self: TRACE.append("prepare"))
    job = submit()
    Job.objects.filter(pk=job.pk).update(retries=settings.JOB_RETRY_LIMIT + 2)
    job = claim_and_run(job)
    assert (job.status, job.error_code) == (JobStatus.ERROR, "job_given_up")
    assert TRACE == ["failed"]


def test_attempt_that_loses_the_database_leaves_the_job_to_the_next(monkeypatch):
    from django.db import OperationalError

    def first(self):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(Probe, "first", first)
    job = claim_and_run(submit())
    assert job.status == JobStatus.RUNNING
    assert TRACE == []
    monkeypatch.undo()
    monkeypatch.setitem(operations._REGISTRY, "test.probe", Probe)
    take_back(job)
    assert claim_and_run(job).status == JobStatus.SUCCESS


# ── fencing and the lease ───────────────────────────────────────────────────────────────────────────
def test_overtaken_attempt_journals_nothing_and_writes_nothing():
    job = submit()
    old = claim(job)
    operation = Probe(old)
    take_back(old)
    claim(job)
    with pytest.raises(JobLostError):
        operation.undo("unmake", what="first")
    with pytest.raises(JobLostError), operation.fenced():
        JobUndo.objects.create(job=job, step="x", inverse="y")
    assert JobUndo.objects.count() == 0


def test_nobody_takes_a_job_over_in_the_middle_of_its_write():
    operation = Probe(claim(submit()))
    with operation.fenced():
        Job.objects.filter(pk=operation.job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        other = threading.Thread(target=closing, args=(sweeper.sweep,))
        other.start()
        other.join()
        assert Job.objects.get(pk=operation.job.pk).status == JobStatus.RUNNING


def test_every_call_and_every_inverse_has_the_whole_deadline(probe, monkeypatch):  # noqa: F811
    operation = Probe(claim(submit()))
    operation.step_started = began = time.monotonic() - 1000
    operation.verify()
    assert operation.step_started > began + 900
    seen = []

    def unmake(self, *, what):
        seen.append((self.step_now.name, time.monotonic() - self.step_started < 1))
        self.step_started = began

    monkeypatch.setattr(Probe, "undo_unmake", unmake)
    for step in Probe.steps:
        operation.step_now = step
        operation.undo("unmake", what=step.name)
    assert operations.undo_replay(operation) == []
    assert seen == [("second", True), ("first", True)]


@pytest.mark.parametrize("number", [0, 0xD800])
def test_a_job_ends_whatever_its_error_says(probe, number):  # noqa: F811
    said = f"What is {chr(number)}?"
    probe.fails = {"second": DriverError(said, detail=said), "undo first": DriverError(said)}
    job = claim_and_run(submit())
    assert (job.status, job.error_code) == (JobStatus.ERROR, "driver_failed")
    shown = said.encode("ascii", "backslashreplace").decode().replace("\x00", "\\x00")
    assert job.error_message == shown
    assert job.error_detail == f"{shown}\nNot undone:\nunmake: {shown}"
    assert job.attempts.get().error_message == shown


def test_a_job_whose_error_cannot_be_written_is_tried_again(probe):  # noqa: F811
    probe.fails = {"second": HostUnreachableError("cut \x00 short")}
    job = claim_and_run(submit())
    assert (job.status, job.retries) == (JobStatus.QUEUED, 1)
    assert job.attempts.get().error_message == "cut \\x00 short"


def test_a_job_ends_whatever_a_mistake_of_ours_says(probe):  # noqa: F811
    probe.fails = {"second": ValueError("cut \x00 short")}
    job = claim_and_run(submit())
    assert (job.status, job.error_code) == (JobStatus.ERROR, "internal_error")
    assert "ValueError: cut \\x00 short" in job.error_detail


def test_given_up_job_ends_also_when_undoing_is_what_kills_its_workers(settings):
    job = submit()
    JobUndo.objects.create(job=job, step="first", inverse="unmake", before={"what": "first"})
    Job.objects.filter(pk=job.pk).update(retries=settings.JOB_RETRY_LIMIT + 3)
    job = claim_and_run(job)
    assert (job.status, job.error_code) == (JobStatus.ERROR, "job_given_up")
    assert TRACE == ["failed"]
    assert job.error_detail == "Not undone:\nunmake: undoing it was cut off each time."
    assert JobUndo.objects.count() == 1
