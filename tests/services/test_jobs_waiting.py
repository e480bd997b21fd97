"""Who waits for whom, who is rung, and jobs while nobody can be rung."""

import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from celery import current_app
from django.utils import timezone

from panel.core import holding, jobs, stranded, sweeper, tasks
from panel.core.errors import ResourceBusyError
from panel.core.models import HostSlot, Job, JobResource, JobStatus
from tests.services.test_jobs import TRACE, Probe, claim, claim_and_run, probe, submit  # noqa: F401 - a fixture
from tests.services.test_jobs_endings import closing

pytestmark = pytest.mark.django_db(transaction=True)


# ── who waits ───────────────────────────────────────────────────────────────────────────────────────
def test_holder_cannot_end_between_being_asked_for_and_being_waited_for(monkeypatch):
    """The waiter's row is there when the holder ends, or the waiter holds: never neither."""
    thing = uuid.uuid4()
    holder = claim(submit(thing))
    inside, ended = threading.Event(), threading.Event()
    original = holding._take

    def take(job, resource_type, resource_id, slot):
        if slot == "waiting":
            inside.set()
            ended.wait(0.5)  # the holder tries to end now
        return original(job, resource_type, resource_id, slot)

    monkeypatch.setattr(holding, "_take", take)
    made: list[Job] = []
    asking = threading.Thread(target=closing, args=(lambda: made.append(submit(thing, may_wait=True)),))
    asking.start()
    inside.wait(5)
    tasks.run(holder)
    ended.set()
    asking.join()
    assert JobResource.objects.get(job=made[0]).slot == "holding"


def test_holder_that_ended_meanwhile_is_no_reason_to_refuse(monkeypatch):
    thing = uuid.uuid4()
    holder = claim(submit(thing))
    original = holding.active_job_of

    def ends(resource_type, resource_id):
        monkeypatch.setattr(holding, "active_job_of", original)
        tasks.run(holder)

    monkeypatch.setattr(holding, "active_job_of", ends)
    assert submit(thing).resources.get().slot == "holding"


def test_sweeper_lets_in_who_waits_for_nobody(monkeypatch):
    rung = []
    thing, other = uuid.uuid4(), uuid.uuid4()
    for resource in (thing, other):
        submit(resource)
    lonely, waiting = submit(thing, may_wait=True), submit(other, may_wait=True)
    JobResource.objects.filter(resource_id=thing, slot="holding").update(slot=None)
    monkeypatch.setattr(jobs, "send", lambda job_id, queue, **_: rung.append(job_id))
    sweeper.sweep()
    assert lonely.resources.get().slot == "holding"
    assert waiting.resources.get().slot == "waiting"
    assert rung == [lonely.pk]
    with pytest.raises(ResourceBusyError):
        submit(thing)


def test_as_many_are_rung_as_there_are_free_slots(monkeypatch):
    rung = []
    host = uuid.uuid4()
    HostSlot.objects.bulk_create(HostSlot(host_id=host, kind="build", number=n) for n in range(2))
    first, second, later, third, fourth = (submit(host_id=host, slot_kind="build") for _ in range(5))
    Job.objects.filter(pk=later.pk).update(run_after=timezone.now() + timedelta(hours=1))
    running = [claim(first), claim(second)]
    monkeypatch.setattr(jobs, "send", lambda job_id, queue, **_: rung.append(job_id))
    tasks.run(running[0])
    assert rung == [third.pk]
    tasks.run(running[1])
    assert rung == [third.pk, third.pk, fourth.pk]


# ── no broker ───────────────────────────────────────────────────────────────────────────────────────
def no_broker(*_, **__):
    raise OSError("no broker")


def test_without_a_broker_jobs_that_cannot_run_do_not_block_the_others(monkeypatch):
    monkeypatch.setattr(current_app, "send_task", no_broker)
    host, thing = uuid.uuid4(), uuid.uuid4()
    HostSlot.objects.create(host_id=host, kind="build", number=0, job=claim(submit(thing)))
    stuck = [submit(thing, may_wait=True), *(submit(host_id=host, slot_kind="build") for _ in range(3))]
    due = sweeper.jobs_due()
    assert not due.filter(pk__in=[job.pk for job in stuck]).exists()
    free = submit()
    # Also those that cannot be claimed for a reason the query does not know.
    assert stranded.run_here([*(job.pk for job in stuck), free.pk]) == 1
    _eventually(lambda: Job.objects.get(pk=free.pk).status == JobStatus.SUCCESS)


def test_only_a_worker_s_child_ends_when_too_many_calls_hang(monkeypatch):
    exits: list[int] = []
    monkeypatch.setattr(tasks, "too_many_abandoned", lambda: True)
    monkeypatch.setattr(tasks.os, "_exit", exits.append)
    claim_and_run(submit())
    assert exits == []
    tasks.job_run(str(submit().pk))
    assert exits == [1]


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_asks_again_and_again_is_not_rung_before_who_has_waited_longer(monkeypatch):
    rung = []
    host = uuid.uuid4()
    HostSlot.objects.create(host_id=host, kind="build", number=0)
    running, asking, waiting = (submit(host_id=host, slot_kind="build") for _ in range(3))
    Job.objects.filter(pk=asking.pk).update(created_at=running.created_at, run_after=timezone.now())
    claimed = claim(running)
    monkeypatch.setattr(jobs, "send", lambda job_id, queue, **_: rung.append(job_id))
    tasks.run(claimed)
    assert rung == [waiting.pk]
