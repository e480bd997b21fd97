"""Rebuilding: what a job that touched nothing leaves as it was, and what an attempt after another must not do."""

from typing import Any

import pytest

from hosts.drivers.simulated import FaultKind
from hosts.drivers.types import PowerState
from hosts.models import Image
from hosts.registry import driver_for
from panel.core.cancelling import job_cancel
from panel.core.errors import InvalidStateError
from panel.core.models import Job, JobStatus
from panel.core.retry import job_retry
from tests import factories
from tests.services.guests import order
from tests.simulated_fleet import jobs_run
from vms.models import Guest, GuestSecret
from vms.operations.rebuild import GuestRebuild
from vms.services import access

pytestmark = pytest.mark.django_db(transaction=True)
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH1b3bQmLw3Rr6a0z6h7oZ8n1r0Yw5k5nS9yq3m1vT2k"


@pytest.fixture
def staff(db):
    """An administrator."""
    return factories.actor_make(factories.staff_make())


@pytest.fixture
def other_image(fleet, one_host) -> Image:
    """Another image on the host."""
    return fleet.image(slug="other", on=(one_host,))


def rebuild(staff, guest, image, **changes) -> Job:
    fields = {"image": image, "ssh_keys": (OTHER_KEY,), "user_data": "#!/bin/sh\nsecret", "want_password": True}
    job, _ = access.guest_rebuild(actor=staff, guest=guest, **{**fields, **changes})
    return job


def facts(guest: Guest) -> Any:
    """What a rebuild's request changes of a guest."""
    row = Guest.objects.filter(pk=guest.pk)
    return row.values(
        "image__slug", "ssh_keys", "user_data", "host_keys", "booted_at", "password_set", "seed_scrubbed_at",
        "lifecycle", "power_state", "power_wanted", "build_number", "error_message", "before_rebuild",
    ).get()  # fmt: skip


def booted(guest: Guest) -> Any:
    """Let the guest have said that it is ready; its facts."""
    Guest.objects.filter(pk=guest.pk).update(host_keys=[{"type": "t", "fingerprint": "f"}])
    Guest.objects.filter(pk=guest.pk).update(booted_at="2026-01-02T03:04:05Z", seed_scrubbed_at="2026-01-02T03:05:06Z")
    return facts(guest)


def test_a_rebuild_cancelled_before_it_began_changes_nothing(guest, one_host, other_image, staff):
    before = booted(guest)
    job = rebuild(staff, guest, other_image)
    assert facts(guest)["image__slug"] == "other"
    job_cancel(job_id=job.pk)
    assert [job.status for job in jobs_run()] == [JobStatus.CANCELLED]

    assert facts(guest) == before
    assert GuestSecret.objects.count() == 0
    assert driver_for(one_host.pk, "kvm").domain_info(guest.pk).state is PowerState.RUNNING
    assert "secret" not in str(job.params)


def test_a_rebuild_that_fails_before_the_old_disk_is_gone_changes_nothing(
    guest,
    one_host,
    other_image,
    staff,
    fleet,
):
    before = booted(guest)
    fleet.admin.set_fault(one_host.name, "domain_info", kind=FaultKind.ERROR)
    job = rebuild(staff, guest, other_image)
    assert [job.status for job in jobs_run()] == [JobStatus.ERROR]

    assert facts(guest) == before
    assert GuestSecret.objects.count() == 0
    with pytest.raises(InvalidStateError, match="changed nothing"):
        job_retry(actor=staff, job=Job.objects.get(pk=job.pk))


@pytest.mark.parametrize("kind", [FaultKind.ERROR, FaultKind.ERROR_AFTER])
@pytest.mark.parametrize("call", ["domain_undefine", "volume_delete"])
def test_a_rebuild_that_failed_while_it_removed_the_old_disk_does_not_say_that_nothing_happened(
    guest,
    one_host,
    other_image,
    staff,
    fleet,
    call,
    kind,
):
    fleet.admin.set_fault(one_host.name, call, kind=kind, times=20)
    job = rebuild(staff, guest, other_image)
    jobs_run()
    assert facts(guest)["lifecycle"] == "error"
    fleet.admin.clear_faults(one_host.name)
    job_retry(actor=staff, job=Job.objects.get(pk=job.pk))
    assert [job.status for job in jobs_run()] == [JobStatus.SUCCESS]
    assert (facts(guest)["lifecycle"], facts(guest)["image__slug"]) == ("active", "other")


def test_a_rebuild_that_fails_later_can_be_tried_again_with_its_password(
    guest,
    one_host,
    other_image,
    staff,
    fleet,
):
    fleet.admin.set_fault(one_host.name, "domain_define", kind=FaultKind.ERROR)
    job = rebuild(staff, guest, other_image)
    jobs_run()
    failed = facts(guest)
    assert (failed["lifecycle"], failed["build_number"], failed["before_rebuild"]) == ("error", 2, {})
    assert failed["image__slug"] == "other"
    assert GuestSecret.objects.count() == 1

    job_retry(actor=staff, job=Job.objects.get(pk=job.pk))
    (again,) = jobs_run()
    assert again.status == JobStatus.SUCCESS
    done = facts(guest)
    assert (done["lifecycle"], done["power_state"], done["build_number"]) == ("active", "running", 3)
    assert (done["image__slug"], done["seed_scrubbed_at"]) == ("other", None)
    assert GuestSecret.objects.count() == 0


def test_an_attempt_after_one_that_was_cut_keeps_the_new_disk(guest, one_host, other_image, staff, monkeypatch):
    job = rebuild(staff, guest, other_image)
    jobs_run()
    again = GuestRebuild(job)
    monkeypatch.setattr(again, "verify", lambda: None)
    again.prepare()

    again.ensure_old_gone()

    assert driver_for(one_host.pk, "kvm").domain_info(guest.pk).state is PowerState.RUNNING


def test_an_old_failed_create_is_not_tried_again_on_a_server_that_was_rebuilt(
    one_host, customer, other_image, staff, fleet
):
    fleet.admin.set_fault(one_host.name, "domain_start", kind=FaultKind.ERROR)
    made = order(customer).guest
    (create,) = jobs_run()
    assert create.status == JobStatus.ERROR
    rebuild(staff, made, other_image)
    jobs_run()
    fleet.admin.set_fault(one_host.name, "domain_define", kind=FaultKind.ERROR)
    rebuild(staff, made, other_image)
    jobs_run()
    assert facts(made)["lifecycle"] == "error"

    with pytest.raises(InvalidStateError, match="Rebuild it instead"):
        job_retry(actor=staff, job=create)
    assert not Job.objects.filter(status=JobStatus.QUEUED).exists()


def test_a_cancelled_rebuild_of_a_failed_server_keeps_its_first_password(one_host, customer, staff, fleet):
    fleet.admin.set_fault(one_host.name, "domain_start", kind=FaultKind.ERROR)
    made = order(customer, ssh_keys=()).guest
    jobs_run()
    before, waiting = facts(made), GuestSecret.objects.get().root_password_hash
    job, _ = access.guest_rebuild(actor=staff, guest=made, ssh_keys=(factories.ED25519,))
    assert GuestSecret.objects.count() == 0
    job_cancel(job_id=job.pk)
    jobs_run()

    assert facts(made) == before
    assert GuestSecret.objects.get().root_password_hash == waiting
    with pytest.raises(InvalidStateError, match="changed nothing"):
        job_retry(actor=staff, job=Job.objects.get(pk=job.pk))


@pytest.mark.parametrize(("host_type", "lost"), [("kvm", "kvm_disk"), ("kvm", "initrd"), ("lxc", "lxc_root")])
def test_an_image_that_the_host_has_lost_is_copied_again(one_host, customer, host_type, lost):
    driver = driver_for(one_host.pk, host_type)
    name = Image.objects.get(slug="micro").files.get(role=lost).volume_name
    (volume,) = [info.ref for info in driver.volume_list(one_host.pools.get().name) if info.ref.name == name]
    driver.volume_delete(volume)

    made = order(customer, host_type=host_type).guest
    ended = {job.action: job.status for job in jobs_run()}

    assert ended == {"guest.create": JobStatus.SUCCESS, "image.copy": JobStatus.SUCCESS}
    assert facts(made)["power_state"] == "running"
    assert driver.volume_info(volume).ref == volume
