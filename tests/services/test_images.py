"""Images: building, recording, copying to hosts, and a new build of the same image."""

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from hosts.drivers.simulated import FaultKind
from hosts.imagebuild.recipes import recipe_key
from hosts.models import HostImage, Image, ImageFile, Volume
from hosts.operations.images import ImageBuild
from hosts.registry import driver_for, driver_of
from hosts.services.image_retire import image_retire
from hosts.services.images import image_build, image_copy_wanted, image_record, is_on_host
from panel.core import sweeper, tasks
from panel.core.actors import SYSTEM
from panel.core.cancelling import job_cancel
from panel.core.errors import StorageFullError
from panel.core.jobs import job_claim
from panel.core.models import Job, JobStatus, JobUndo
from panel.core.operations import Step
from panel.core.tasks import LeaseKeeper
from tests import factories
from tests.client import problem
from tests.drivers.checks import wait_until
from tests.services.guests import act, order
from tests.simulated_fleet import jobs_run
from vms.states import GuestAction

pytestmark = pytest.mark.django_db(transaction=True)


def manifest(mark: str) -> dict[str, Any]:
    files: dict[str, dict[str, Any]] = {
        role: {"file": f"{role}.{form}", "format": form, "sha256": mark * 64, "size_bytes": 5, "capacity_bytes": 5}
        for role, form in (("kvm_disk", "qcow2"), ("kernel", "raw"), ("initrd", "raw"), ("lxc_root", "raw"))
    }
    for number, file in enumerate(files.values()):
        file["sha256"] = f"{number}{file['sha256'][1:]}"
    return {
        "name": "Micro", "os": "micro", "version": "1", "boot": "kernel", "cloud_init": False,
        "host_types": ["kvm", "lxc"], "min_disk_gib": 1, "min_memory_mib": 96, "kernel_arguments": "quiet",
        "files": files,
    }  # fmt: skip


@pytest.fixture
def recipe(monkeypatch, tmp_path):
    """Replace the builder by a script that does what it is told."""

    python = sys.executable

    def say(script: str) -> None:
        (tmp_path / "builder").write_text(f"#!{python}\n{script}")
        (tmp_path / "builder").chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(tmp_path / "builder"))

    return say


GOOD = (
    "import json, pathlib, sys\n"
    "out = pathlib.Path(sys.argv[sys.argv.index('--output') + 1])\n"
    "out.mkdir(parents=True, exist_ok=True)\n"
    f"manifest = json.loads({json.dumps(json.dumps(manifest('a')))})\n"
    "print('STEP 1/2 Unpack', flush=True)\n"
    "for file in manifest['files'].values(): (out / file['file']).write_bytes(b'12345')\n"
    "(out / 'manifest.json').write_text(json.dumps(manifest))\n"
)
BAD = (
    "import pathlib, sys\n"
    "out = pathlib.Path(sys.argv[sys.argv.index('--output') + 1])\n"
    "out.mkdir(parents=True)\n"
    "(out / '.micro.lock').touch()\n"
    "print('mmdebstrap: no such suite'); raise SystemExit(1)\n"
)


def test_build_records_files_and_copies_to_every_host(fleet, recipe, tmp_path):
    host = fleet.host()
    recipe(GOOD)
    key = recipe_key("micro")
    image, job = image_build(actor=SYSTEM, slug="micro", recipe_key=key)
    assert job is not None
    assert [(j.action, j.status) for j in jobs_run()] == [
        ("image.build", "success"),
        ("image.copy", "success"),
        ("image.copy", "success"),
    ]
    image.refresh_from_db()
    assert (image.state, image.boot, image.size_bytes) == ("ready", "kernel", 20)
    assert (image.min_disk_gib, image.min_memory_mib) == (1, 96)
    assert HostImage.objects.filter(host=host).count() == 4
    again, nothing = image_build(actor=SYSTEM, slug="micro", recipe_key=key)
    assert (again.pk, nothing) == (image.pk, None)


def test_a_copy_whose_file_has_left_the_cache_says_so(fleet, recipe):
    recipe(GOOD)
    image, _ = image_build(actor=SYSTEM, slug="micro", recipe_key=recipe_key("micro"))
    assert [j.status for j in jobs_run()] == ["success"]
    for file in ImageFile.objects.all():
        (Path(settings.CACHE_DIR) / file.path).unlink()
    image_copy_wanted(actor=SYSTEM, host=fleet.host(), image=image, host_type="lxc")
    (job,) = jobs_run()
    assert (job.status, job.error_code) == ("error", "image_file_missing")


def test_failed_build_says_so_and_can_be_ordered_again(fleet, recipe):
    recipe(BAD)
    image, _ = image_build(actor=SYSTEM, slug="micro", recipe_key="k1")
    (job,) = jobs_run()
    assert (job.status, job.error_code) == (JobStatus.ERROR, "image_build_failed")
    assert "no such suite" in job.error_detail
    # Another builder may be waiting for it.
    assert (Path(settings.CACHE_DIR) / "images" / f"micro-{recipe_key('micro')}" / ".micro.lock").exists()
    image.refresh_from_db()
    assert image.state == "error"
    image, again = image_build(actor=SYSTEM, slug="micro", recipe_key="k1")
    assert again is not None
    assert image.state == "building"


def ordered() -> tuple[Image, Job]:
    """Order a build of another recipe than the image has."""
    image, job = image_build(actor=SYSTEM, slug="micro", recipe_key="k1")
    assert job is not None
    return image, job


def test_image_retired_while_it_is_built_anew_stays_retired(fleet, recipe):
    fleet.host()
    image = fleet.image(recipe_key="older")
    staff = factories.actor_make(factories.staff_make())
    for script, status in ((BAD, JobStatus.ERROR), (GOOD, JobStatus.SUCCESS)):
        recipe(script)
        Image.objects.update(state="ready")
        ordered()
        image_retire(actor=staff, image=image)
        assert [(ran.action, ran.status) for ran in jobs_run()] == [("image.build", status)]
        image.refresh_from_db()
        assert image.state == "retired"
    assert image.recipe_key == recipe_key("micro")


def test_retired_image_is_not_built_by_trying_an_old_job_again(fleet, recipe, admin_api):
    recipe(BAD)
    image, job = ordered()
    jobs_run()
    image_retire(actor=factories.actor_make(factories.staff_make()), image=image)
    problem(admin_api.post(f"/jobs/{job.pk}/actions/retry"), 409, "invalid_state")
    assert Job.objects.filter(action="image.build").count() == 1
    image.refresh_from_db()
    assert image.state == "retired"


def test_build_tried_again_uses_the_recipe_of_today(fleet, recipe, admin_api, monkeypatch):
    recipe(BAD)
    image, job = ordered()
    jobs_run()
    recipe(GOOD)
    monkeypatch.setattr("hosts.operations.images.recipe_key", lambda _slug: "today")
    assert admin_api.post(f"/jobs/{job.pk}/actions/retry").status_code == 202
    image.refresh_from_db()
    assert image.state == "building"
    assert [again.status for again in jobs_run()] == [JobStatus.SUCCESS]
    image.refresh_from_db()
    assert (image.state, image.recipe_key) == ("ready", "today")
    assert {Path(file.path).parent.name for file in image.files.all()} == {"micro-today"}


SILENT = "import os, pathlib, time\npathlib.Path({pid!r}).write_text(str(os.getpid()))\ntime.sleep({seconds})\n"


def test_builder_that_is_silent_for_long_keeps_its_job(fleet, recipe, tmp_path, settings, monkeypatch):
    settings.JOB_LEASE_S, settings.JOB_RENEW_S = 2.0, 0.2
    monkeypatch.setattr(LeaseKeeper, "MARGIN_S", 0.0)
    monkeypatch.setattr(ImageBuild, "steps", (Step("build", "Build", deadline_s=0.5), Step("record", "Record")))
    recipe(SILENT.format(pid=str(tmp_path / "pid"), seconds=4) + GOOD)
    _, job = ordered()
    building = _in_background(job)
    while building.is_alive():
        sweeper.sweep()
        building.join(0.1)
    job.refresh_from_db()
    assert (job.status, job.attempt) == (JobStatus.SUCCESS, 1)


def test_cancelled_build_ends_at_once_with_the_builder(fleet, recipe, tmp_path, settings):
    settings.JOB_RENEW_S = 0.2
    pid = tmp_path / "pid"
    recipe(SILENT.format(pid=str(pid), seconds=200))
    image, job = ordered()
    building = _in_background(job)
    wait_until(lambda: pid.exists() and pid.read_text(), timeout_s=20)
    job_cancel(job_id=job.pk)
    building.join(30)
    job.refresh_from_db()
    image.refresh_from_db()
    assert (job.status, image.state) == (JobStatus.CANCELLED, "error")
    assert not Path("/proc", pid.read_text()).exists()


def _in_background(job: Job) -> threading.Thread:
    claimed = job_claim(job.pk, worker="w")
    assert claimed is not None

    def run() -> None:
        try:
            tasks.run(claimed)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def lost_image(fleet, host) -> Job:
    """Let a host lose the micro image; return the job that copies it again."""
    HostImage.objects.filter(host=host).delete()
    for hypervisor in host.connections.all():
        driver = driver_of(hypervisor)
        for volume in driver.volume_list(host.pools.get().name):
            driver.volume_delete(volume.ref)
    job = image_copy_wanted(actor=SYSTEM, host=host, image=Image.objects.get(slug="micro"), host_type="lxc")
    assert job is not None
    return job


def test_a_copy_is_cancelled_while_it_is_under_way(one_host, fleet):
    job = lost_image(fleet, one_host)
    fleet.admin.set_fault(one_host.name, "volume_upload", FaultKind.HANG)
    claimed = job_claim(job.pk, worker="w")
    assert claimed is not None

    def run() -> None:
        tasks.run(claimed)
        connection.close()

    running = threading.Thread(target=run)
    running.start()
    try:
        wait_until(lambda: Job.objects.get(pk=job.pk).step == "copy")
        job_cancel(job_id=job.pk)
        running.join(10)
        assert not running.is_alive()
        assert fleet.seen(one_host).volumes == set()
    finally:
        fleet.admin.release_hangs(one_host.name)
        running.join()
    job.refresh_from_db()
    assert (job.status, job.error_code, job.error_detail) == (JobStatus.CANCELLED, "job_cancelled", "")
    assert not HostImage.objects.exists()


def test_a_copy_that_failed_leaves_nothing_half_made_and_keeps_what_is_whole(one_host, fleet):
    job = lost_image(fleet, one_host)
    fleet.admin.set_fault(one_host.name, "volume_upload", FaultKind.HALF_DONE)
    jobs_run()
    job.refresh_from_db()
    assert (job.status, job.error_detail.count("Not undone")) == (JobStatus.ERROR, 0)
    assert fleet.seen(one_host).volumes == set()
    job = lost_image(fleet, one_host)
    fleet.admin.set_fault(one_host.name, "volume_upload", FaultKind.ERROR_AFTER)
    jobs_run()
    job.refresh_from_db()
    assert job.status == JobStatus.ERROR
    assert len(fleet.seen(one_host).volumes) == 1
    assert not JobUndo.objects.exists()


@pytest.mark.parametrize("host_type", ["kvm", "lxc"])
def test_an_order_whose_image_could_not_be_copied_says_why(one_host, customer, fleet, host_type):
    HostImage.objects.filter(host=one_host).delete()
    fleet.admin.set_fault(one_host.name, "volume_upload", FaultKind.ERROR, error=StorageFullError, times=0)
    made = order(customer, name="late", host_type=host_type)
    jobs_run()
    job = Job.objects.get(pk=made.job.pk)
    assert (job.status, job.error_code) == (JobStatus.ERROR, "image_not_copied")
    assert job.error_message == "The image could not be copied to the host. The host's storage is full."
    made.guest.refresh_from_db()
    assert (made.guest.lifecycle, made.guest.error_message) == ("error", job.error_message)


def test_new_build_is_copied_again_and_old_guests_keep_their_kernel(guest, one_host, customer):
    image = Image.objects.get(slug="micro")
    before = {file.role: file.volume_name for file in image.files.all()}
    with transaction.atomic():
        image_record(image=image, manifest=manifest("b"), folder="images/new", recipe_key="k2")
    assert not is_on_host(host=one_host, image=image, host_type="kvm")
    act(guest, GuestAction.STOP)
    assert act(guest, GuestAction.START).status == JobStatus.SUCCESS
    assert guest.boot_volumes["kernel"] == before["kernel"]
    assert driver_for(one_host.pk, "kvm").domain_info(guest.pk).state == "running"
    order(customer, name="new")
    assert Job.objects.filter(action="image.copy").count() == 0
    (job,) = jobs_run(rounds=1)
    assert (job.action, job.status) == ("guest.create", JobStatus.QUEUED)
    assert Job.objects.filter(action="image.copy").count() == 1
    assert Volume.objects.filter(owner_id=guest.pk).count() == 2
