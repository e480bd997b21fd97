"""Jobs of the demo: under way, of many, failed in all the ways that a page has to tell apart."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from hosts.models import Host, Image
from hosts.operations.images import ImageCopy
from panel.core.models import Customer, Job, JobAttempt, JobResource, User
from panel.core.operations import Operation
from panel.core.units import GIB, MIB
from tests import factories
from vms.models import Difference, Guest
from vms.operations.adopt import GuestAdopt
from vms.operations.create import GuestCreate
from vms.operations.release import VolumeRelease
from vms.operations.repair import GuestRepair
from vms.operations.resize import GuestResize


def jobs_make(
    mine: list[Guest],
    customer: Customer,
    owner: User,
    *,
    admin: User,
    hosts: list[Host],
    image: Image,
    differences: list[Difference],
) -> dict[str, Job]:
    """Make them all, and return those that pages are opened for by name."""
    running, failed = _jobs(mine, customer, owner, hosts)
    return {
        "running_job": running,
        "failed_job": failed,
        "many_job": _job_of_many(mine, customer, owner),
        "copying_job": _copying(hosts, image, admin),
        **_resizes(mine[3], customer, owner),
        **_settling(mine[0], customer, admin, hosts[0], differences),
    }


def _steps(operation: type[Operation], done: int, last: str, *, percent: int = 40) -> list[dict[str, Any]]:
    """Steps of an operation, of which some are done and the next is ``last``."""
    start = timezone.now() - timedelta(seconds=9)
    rows = []
    for number, step in enumerate(operation.steps):
        status = "success" if number < done else last if number == done else "queued"
        begun = start + timedelta(seconds=1.4 * number)
        ended = number < done or status == "error"
        rows.append({
            "name": step.name, "title": step.title, "status": status, "percent": 100 if number < done else percent,
            "note": "", "started_at": begun.isoformat() if number <= done else None,
            "finished_at": (begun + timedelta(seconds=1.3)).isoformat() if ended else None,
        })  # fmt: skip
    return rows


def _asked_by(user: User) -> dict[str, Any]:
    return {"actor_kind": "person", "actor_user": user, "actor_label": user.email}


def _failed(operation: type[Operation], done: int, *, code: str, message: str, detail: str = "") -> dict[str, Any]:
    begun = timezone.now() - timedelta(minutes=50)
    return {
        "action": operation.action, "status": "error", "progress_percent": 100 * done // len(operation.steps),
        "steps": _steps(operation, done, "error"), "attempt": 1, "created_at": begun, "started_at": begun,
        "finished_at": begun + timedelta(seconds=12), "error_code": code, "error_message": message,
        "error_detail": detail, "request_id": "4c3c5e4a860e6a9b",
    }  # fmt: skip


def _copying(hosts: Sequence[Host], image: Image, admin: User) -> Job:
    """Copy an image: to one host, to another that has been asked to stop, to a third when there is room."""
    now = timezone.now()
    total = 3 * GIB
    jobs = []
    for number, (status, share) in enumerate((("running", 41), ("running", 72), ("queued", 0))):
        begun = now - timedelta(seconds=8 + 5 * number)
        steps = _steps(ImageCopy, 0, "running" if share else "queued", percent=share)
        if share:
            steps[0] |= {"bytes_done": total * share // 100, "bytes_total": total, "rate_bytes_s": 214 * MIB,
                         "started_at": begun.isoformat()}  # fmt: skip
        job = factories.job_make(
            action="image.copy", status=status, progress_percent=share, step="copy" if share else "", steps=steps,
            attempt=min(1, share), created_at=begun, started_at=begun if share else None, host_id=hosts[number].pk,
            slot_kind="copy", cancel_requested_at=now if number == 1 else None, **_asked_by(admin),
            params={"host": str(hosts[number].pk), "image": str(image.pk), "host_type": "kvm"},
        )  # fmt: skip
        JobResource.objects.create(job=job, type="host-image", resource_id=job.pk, slot="holding")
        jobs.append(job)
    return jobs[0]


def _resizes(guest: Guest, customer: Customer, owner: User) -> dict[str, Job]:
    """Another size that can be tried again, and one of before requests were kept, which cannot."""
    full = _failed(
        GuestResize, 0, code="storage_full", message="The host's storage is full.", detail="No space left on device"
    )
    common = {"customer": customer, "guest_id": guest.pk, **_asked_by(owner), **full}
    long_ago = timezone.now() - timedelta(days=40)
    times = {"created_at": long_ago, "started_at": long_ago, "finished_at": long_ago + timedelta(seconds=12)}
    old = factories.job_make(**{**common, **times})
    return {"resize_job": factories.job_make(**common, params={"asked": {"plan": "l-1"}}), "old_job": old}


def _settling(
    guest: Guest, customer: Customer, admin: User, host: Host, differences: list[Difference]
) -> dict[str, Job]:
    """Failed jobs that were to settle a difference: a repair, a take-over, a release."""
    size, found, volume, *_rest = differences
    staff = {"host_id": host.pk, **_asked_by(admin)}
    silent = {"code": "host_timeout", "message": "The host did not answer in time."}
    adopt = factories.job_make(
        customer=customer, guest_id=found.object_id, **staff,
        params={"asked": {"name": "erp-2019", "nics": [], "over_limit": False}},
        **_failed(GuestAdopt, 1, code="invalid_state", message="The server has changed since it was found: memory."),
    )  # fmt: skip
    repair = factories.job_make(
        customer=customer, guest_id=guest.pk, **staff, params={"difference": str(size.pk)},
        **_failed(GuestRepair, 1, detail="virDomainDefineXML: timed out", **silent),
    )  # fmt: skip
    release = factories.job_make(
        **staff, params={"pool": "", "name": volume.label}, **_failed(VolumeRelease, 1, **silent)
    )
    JobResource.objects.create(job=release, type="difference", resource_id=volume.pk, slot=None)
    return {"repair_job": repair, "adopt_job": adopt, "release_job": release}


def _jobs(mine: list[Guest], customer: Customer, owner: User, hosts: list[Host]) -> tuple[Job, Job]:
    now = timezone.now()
    common = {"customer": customer, "actor_kind": "person", "actor_user": owner, "actor_label": owner.email}
    running = factories.job_make(
        guest_id=mine[1].pk, action="guest.create", status="running", progress_percent=52, step="ensure_defined",
        steps=_steps(GuestCreate, 3, "running"), attempt=1, created_at=now - timedelta(seconds=11),
        started_at=now - timedelta(seconds=9), host_id=hosts[1].pk,
        request_id="9b1f6f7c117d1c6c", **common,
    )  # fmt: skip
    failed = factories.job_make(
        guest_id=mine[7].pk, action="guest.create", status="error", progress_percent=33, step="ensure_seed",
        steps=_steps(GuestCreate, 2, "error"), attempt=2, created_at=now - timedelta(minutes=34),
        started_at=now - timedelta(minutes=34), finished_at=now - timedelta(minutes=33), error_code="storage_full",
        error_message="The host's storage is full.", error_detail="virStorageVolCreateXML: No space left on device",
        request_id="0e6a9b4c3c5e4a86", **common,
    )  # fmt: skip
    failed_at = now - timedelta(minutes=34)
    JobAttempt.objects.create(job=running, number=1, worker="worker-1:400", started_at=now - timedelta(seconds=9))
    outcomes = (("lost", ""), ("again", "The host did not answer in time."), ("error", failed.error_message))
    for number, (outcome, message) in enumerate(outcomes, start=1):
        JobAttempt.objects.create(
            job=failed, number=number, worker=f"worker-1:{400 + number}", outcome=outcome, error_message=message,
            started_at=failed_at + timedelta(seconds=20 * number - 20),
            ended_at=failed_at + timedelta(seconds=20 * number - 1),
        )  # fmt: skip
    for number, action in enumerate(("reboot", "shutdown", "start", "reset-root-password", "resize")):
        begun = now - timedelta(minutes=20 + 50 * number)
        factories.job_make(
            guest_id=mine[(0, 2, 4)[number % 3]].pk, action=f"guest.{action}", status="success",
            progress_percent=100, attempt=1, created_at=begun, started_at=begun,
            finished_at=begun + timedelta(seconds=4 + number),
            **common,
        )  # fmt: skip
    check = factories.job_make(
        action="host.check", status="success", progress_percent=100, host_id=hosts[0].pk,
        started_at=now - timedelta(minutes=2), finished_at=now - timedelta(minutes=1),
    )  # fmt: skip
    JobResource.objects.create(job=check, type="host", resource_id=hosts[0].pk, slot=None)
    return running, failed


def _job_of_many(mine: list[Guest], customer: Customer, owner: User) -> Job:
    """Three servers were asked to shut down; one did not listen."""
    begun = timezone.now() - timedelta(hours=5)
    common: dict[str, Any] = {
        "customer": customer, "actor_kind": "person", "actor_user": owner, "actor_label": owner.email,
        "progress_percent": 100, "created_at": begun, "started_at": begun,
    }  # fmt: skip
    refused = {"error_code": "shutdown_ignored", "error_message": "The server did not react to the request in time."}
    parent = factories.job_make(
        action="guests.shutdown", status="error", error_code="children_failed", error_message="1 of 3 failed.",
        finished_at=begun + timedelta(seconds=61), **common,
    )  # fmt: skip
    for number, at in enumerate((0, 2, 4)):
        factories.job_make(
            guest_id=mine[at].pk, action="guest.shutdown", parent=parent, attempt=1, **common,
            **({"status": "error", **refused} if number == 2 else {"status": "success"}),
            finished_at=begun + timedelta(seconds=(5, 7, 61)[number]),
        )  # fmt: skip
    return parent
