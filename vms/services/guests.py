"""Making a guest, asking whether it could be made, renaming and deleting it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from hosts.services.placement import Verdict, candidates, rank
from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.cancelling import job_cancel, job_drop
from panel.core.errors import ConflictError, InvalidInputError
from panel.core.models import Job, JobResource, ResourceSlot
from vms.models import Disk, Guest, GuestSecret
from vms.services.actions import action_check, guest_audit, guest_job, guest_locked, job_at_work
from vms.services.allocation import amounts, no_host, place, quota_error, quota_give_back, quota_take, wish_of
from vms.services.passwords import password_check, password_for, password_hash
from vms.services.validation import GuestRequest, request_errors
from vms.states import GuestAction, PowerWanted

TAKEN = "This external_id is taken by another server."


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCreated:
    """What a create gives: the guest, the job that builds it, and the password if one was made."""

    guest: Guest
    job: Job
    root_password: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """What a dry run says. ``verdicts`` has each host's, the best first, when they were asked for."""

    errors: dict[str, str]
    feasible: bool
    reason: str
    verdicts: tuple[Verdict, ...] = ()


@transaction.atomic
def guest_create(*, actor: Actor, **request_fields: Any) -> GuestCreated:
    """Take everything a guest needs and submit the job that builds it. See ``GuestRequest``.

    Raises:
        InvalidInputError: with every field that cannot be accepted.
        QuotaExceededError, CapacityError: nothing was taken.
        ConflictError: the client has used this ``external_id`` before.
    """
    request = GuestRequest(**request_fields)
    if errors := request_errors(request):
        raise InvalidInputError(fields=errors)
    password = password_for(request.root_password, wanted=request.want_password or not request.ssh_keys)
    hashed = password_hash(password) if password is not None else None  # before others wait for what is taken
    guest = Guest(
        **{f.name: getattr(request, f.name) for f in fields(GuestRequest) if f.name in _COPIED},
        hostname=request.name,
        ssh_keys=list(request.ssh_keys),
        client_id=actor.client_id if request.external_id else None,
        password_set=password is not None,
    )
    _take_everything(guest, request)
    if hashed is not None:
        GuestSecret.objects.create(guest=guest, root_password_hash=hashed)
    job = guest_job(actor, guest, GuestAction.CREATE)
    audit_record(
        actor=actor,
        action="guest.created",
        object_type="guest",
        object_id=guest.pk,
        object_label=guest.name,
        customer_id=guest.customer_id,
        changes={name: (None, getattr(guest, name)) for name in ("host_type", "vcpus", "memory_mib", "disk_gib")}
        | {"image": (None, guest.image.slug), "plan": (None, guest.plan_slug or None)},
    )
    return GuestCreated(guest=guest, job=job, root_password=password if request.root_password is None else None)


_COPIED = {
    "customer", "name", "host_type", "vcpus", "memory_mib", "disk_gib", "image", "plan_slug",
    "bandwidth_mbit_per_s", "max_processes", "user_data", "external_id", "labels",
}  # fmt: skip


def _take_everything(guest: Guest, request: GuestRequest) -> None:
    quota_take(
        customer=request.customer,
        wanted=amounts(vcpus=request.vcpus, memory_mib=request.memory_mib, disk_gib=request.disk_gib),
    )
    try:
        with transaction.atomic():
            guest.save(force_insert=True)
    except IntegrityError as error:
        raise ConflictError(TAKEN, external_id=request.external_id) from error
    found = place(guest, request)
    guest.host, guest.pool, guest.notice = found.host, found.pool, found.notice
    guest.save(update_fields=["host", "pool", "notice"])
    if not found.network.cidr_v4:  # only IPv4 addresses are counted
        quota_give_back(customer=request.customer, wanted={"addresses": 1})
    Disk.objects.create(guest=guest, index=0, size_gib=request.disk_gib)


def guest_check(*, actor: Actor, explain: bool = False, **request_fields: Any) -> Feasibility:
    """Say what ``guest_create`` would say, and change nothing; with ``explain`` also what speaks against each host."""
    request = GuestRequest(**request_fields)
    errors = request_errors(request)
    if request.external_id and _used(actor, request.external_id):
        errors["external_id"] = TAKEN
    if request.root_password is not None:
        try:
            password_check(request.root_password)
        except InvalidInputError as error:
            errors |= error.fields
    wanted = amounts(vcpus=request.vcpus, memory_mib=request.memory_mib, disk_gib=request.disk_gib)
    customer = request.customer
    for name, amount in wanted.items():
        limit = getattr(customer, f"quota_{name}")
        if limit is not None and getattr(customer, f"used_{name}") + amount > limit:
            return Feasibility(errors=errors, feasible=False, reason=str(quota_error(customer, wanted)))
    wish = wish_of(request)
    verdicts = tuple(rank(candidates(wish, all_hosts=explain), wish))
    fits = any(not verdict.refusal for verdict in verdicts)
    reason = "" if fits else str(no_host(wish))
    return Feasibility(
        errors=errors,
        feasible=fits and not errors,
        reason=reason or next(iter(errors.values()), ""),
        verdicts=verdicts if explain else (),
    )


def _used(actor: Actor, external_id: str) -> bool:
    return Guest.objects.filter(client_id=actor.client_id, external_id=external_id, client__isnull=False).exists()


@transaction.atomic
def guest_rename(*, actor: Actor, guest: Guest, **changes: Any) -> Guest:
    """Change a guest's name or labels. The name is the panel's; the host name inside stays as it is."""
    locked = guest_locked(guest)
    before = {name: getattr(locked, name) for name in changes}
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.save(update_fields=list(changes))
    guest_audit(actor, locked, "guest.changed", **{n: (before[n], v) for n, v in changes.items()})
    events.publish("guest", locked.pk, customer_id=locked.customer_id)
    locked.refresh_from_db()
    return locked


@transaction.atomic
def guest_delete(*, actor: Actor, guest: Guest, params: Mapping[str, Any] | None = None) -> Job:
    """Delete a guest and its disks. Takes effect at once; the job waits for the present one and asks it to end.

    Asking again returns the job that is at work on it. ``params``: of the job, which needs none.
    """
    locked = guest_locked(guest)
    waiting = job_at_work(locked, GuestAction.DELETE)
    if waiting is not None:
        return waiting
    action_check(locked, GuestAction.DELETE)
    for row in JobResource.objects.filter(type="guest", resource_id=locked.pk, slot__isnull=False).select_related(
        "job"
    ):
        _make_way(row)
    job = guest_job(actor, locked, GuestAction.DELETE, params=params)
    locked.deletion_requested_at = locked.deletion_requested_at or timezone.now()  # not when it is tried again
    locked.power_wanted = PowerWanted.OFF
    locked.save(update_fields=["deletion_requested_at", "power_wanted"])
    guest_audit(actor, locked, "guest.delete.requested")
    return job


def _make_way(row: JobResource) -> None:
    """Ask a holder to stop; a waiting suspend or unsuspend is pointless now and ends."""
    if row.slot == ResourceSlot.WAITING:
        job_drop(row.job, reason="The server is being deleted.")
    elif row.job.cancel_requested_at is None:
        job_cancel(job_id=row.job.pk)
