"""The copy of an image to real hosts, cancelled in the middle: nothing of it is left, and the next one is whole."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from hosts.copying import CopyProgress
from hosts.models import HostImage
from hosts.services.images import image_copy_wanted, is_on_host
from panel.core import tasks
from panel.core.actors import SYSTEM
from panel.core.cancelling import job_cancel
from panel.core.jobs import job_claim
from panel.core.models import Job, JobStatus
from tests.drivers.checks import wait_until
from tests.drivers.real_host import RealHost
from tests.faults.real_fleet import RealFleet
from tests.simulated_fleet import jobs_run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("host_type", [pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in ("kvm", "lxc")])
def test_a_copy_that_is_cancelled_leaves_nothing(
    host_type: str, real_host: RealHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = RealFleet(real_host, monkeypatch)
    try:
        pool = fleet.host.pools.get()
        files = HostImage.objects.filter(host=fleet.host, file__role__startswith=host_type)
        names = [row.file.volume_name for row in files.select_related("file")]
        files.delete()
        image = fleet.image("again")
        for volume in fleet.driver("kvm").volume_list(pool.name):
            if volume.ref.name in names:
                fleet.driver("kvm").volume_delete(volume.ref)
        with monkeypatch.context() as slow:
            slow.setattr(CopyProgress, "told", slowly)
            job = begun(image_copy_wanted(actor=SYSTEM, host=fleet.host, image=image, host_type=host_type))
            wait_until(lambda: _done_bytes(job) > 0, timeout_s=30)
            job_cancel(job_id=job.pk)
            wait_until(lambda: Job.objects.get(pk=job.pk).is_final, timeout_s=30)
        job.refresh_from_db()
        assert (job.status, job.error_detail) == (JobStatus.CANCELLED, "")
        assert [file.name for file in Path(pool.path).iterdir() if file.name.removesuffix(".partial") in names] == []
        image_copy_wanted(actor=SYSTEM, host=fleet.host, image=image, host_type=host_type)
        assert [one.status for one in jobs_run()] == [JobStatus.SUCCESS]
        assert is_on_host(host=fleet.host, image=image, host_type=host_type)
    finally:
        fleet.clear()


_told = CopyProgress.told


def slowly(self: CopyProgress, done_bytes: int, total_bytes: int) -> None:
    """Take what a driver says, and keep it from going on for a moment."""
    _told(self, done_bytes, total_bytes)
    time.sleep(0.3)


def begun(job: Job | None) -> Job:
    """Let a worker begin a job, in a thread."""
    assert job is not None
    claimed = job_claim(job.pk, worker="w")
    assert claimed is not None

    def run() -> None:
        tasks.run(claimed)
        connection.close()

    threading.Thread(target=run, daemon=True).start()
    return job


def _done_bytes(job: Job) -> int:
    steps: list[dict[str, Any]] = Job.objects.get(pk=job.pk).steps
    return max((step["bytes_done"] or 0 for step in steps), default=0)
