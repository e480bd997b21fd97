"""Killing an attempt at a checkpoint: a child process runs the job and dies there by SIGKILL."""

import os
import signal
import time

from django.conf import settings
from django.db import connections

from panel.core import tasks
from panel.core.models import Job
from panel.core.models.jobs import ACTIVE
from panel.core.sweeper import sweep
from tests.simulated_fleet import jobs_run

Checkpoint = tuple[str, str]  # name and side
LEASE_S = 0.3
FINAL_WITHIN_S = 60.0

_reached: list[Checkpoint] = []
_fatal: list[tuple[str, *Checkpoint]] = []


def hook(action: str, name: str, side: str) -> None:
    """Note the checkpoint, and die at the one that was chosen."""
    _reached.append((name, side))
    if (action, name, side) in _fatal:
        os.kill(os.getpid(), signal.SIGKILL)


def reached() -> list[Checkpoint]:
    """Return the checkpoints that were passed since the last call, in this process."""
    found, _reached[:] = list(_reached), []
    return found


def run_killed(job: Job, checkpoint: Checkpoint) -> None:
    """Run a job in a process that is killed at a checkpoint; its lease is short.

    libvirt has a thread here, and a child that is forked while it holds a lock of libvirt's waits for that until the
    call's deadline: its job is queued again, and another child is tried. Workers are forked before there is a thread.
    """
    deadline = time.monotonic() + FINAL_WITHIN_S
    while _run_in_child(job, checkpoint) != -signal.SIGKILL:
        again = Job.objects.filter(pk=job.pk, status__in=ACTIVE).exists() and time.monotonic() < deadline
        assert again, f"{checkpoint} was not reached"
        time.sleep(0.5)
        sweep()


def _run_in_child(job: Job, checkpoint: Checkpoint) -> int:
    """Return the child's exit status, negative when a signal ended it."""
    connections.close_all()  # a child must not share them
    pid = os.fork()
    if pid == 0:
        try:
            settings.JOB_LEASE_S, settings.JOB_RENEW_S = LEASE_S, LEASE_S / 3
            _fatal.append((job.action, *checkpoint))
            claimed = tasks.claim(job.pk)
            if claimed is not None:
                tasks.run(claimed)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def recover(job: Job) -> None:
    """Sweep and work, as the other processes of a panel would, until the job is final."""
    deadline = time.monotonic() + FINAL_WITHIN_S
    while Job.objects.filter(pk=job.pk, status__in=ACTIVE).exists():
        assert time.monotonic() < deadline, "the job is not final"
        time.sleep(0.05)
        sweep()
        jobs_run()
    jobs_run()  # what it has ordered in turn
