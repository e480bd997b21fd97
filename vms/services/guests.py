"""The only door for customers, staff and billing: everything that is asked of a guest passes here."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from hosts.drivers.types import PowerState
from hosts.services.placement import candidates, rank
from panel.core import events
from panel.core.actors import SYSTEM, Actor
from panel.core.audit import audit_record
from panel.core.errors import ConflictError, InvalidInputError, PanelError
from panel.core.jobs import job_cancel, job_drop, job_submit
from panel.core.models import Job, JobResource, ResourceSlot
from vms.models import Disk, Guest, GuestSecret, GuestSuspension
from vms.services.allocation import amounts, place, quota_error, quota_take, why_not, wish_of
from vms.services.passwords import password_check, password_hash, password_make
from vms.services.validation import GuestRequest, request_errors
from vms.states import RULES, GuestAction, Lifecycle, PowerWanted, check_allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCreated:
    """What a create gives: the guest, the job that builds it, and the password if one was made."""

    guest: Guest
    job: Job
    root_password: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """What a dry run says."""

    errors: dict[str, str]
    feasible: bool
    reason: str


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
    password = _password_for(request)
    guest = Guest(
        **{f.name: getattr(request, f.name) for f in fields(GuestRequest) if f.name in _COPIED},
        ssh_keys=list(request.ssh_keys),
        client_id=actor.client_id if request.external_id else None,
        password_set=password is not None,
    )
    _take_everything(guest, request)
    if password is not None:
        GuestSecret.objects.create(guest=guest, root_password_hash=password_hash(password))
    job = _submit(actor, guest, GuestAction.CREATE)
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


def _password_for(request: GuestRequest) -> str | None:
    """Return the password root gets: the caller's, a new one without keys or on request, else none."""
    if request.root_password is not None:
        password_check(request.root_password)
        return request.root_password
    return password_make() if request.want_password or not request.ssh_keys else None


def _take_everything(guest: Guest, request: GuestRequest) -> None:
    quota_take(
        customer=request.customer,
        wanted=amounts(vcpus=request.vcpus, memory_mib=request.memory_mib, disk_gib=request.disk_gib),
    )
    try:
        with transaction.atomic():
            guest.save(force_insert=True)
    except IntegrityError as error:
        raise ConflictError("This external_id is taken by another server.", external_id=request.external_id) from error
    found = place(guest, request)
    guest.host, guest.pool, guest.notice = found.host, found.pool, found.notice
    guest.save(update_fields=["host", "pool", "notice"])
    Disk.objects.create(guest=guest, index=0, size_gib=request.disk_gib)


def guest_check(**request_fields: Any) -> Feasibility:
    """Say what ``guest_create`` would say, and change nothing."""
    request = GuestRequest(**request_fields)
    errors = request_errors(request)
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
    fits = any(not verdict.refusal for verdict in rank(candidates(wish), wish))
    reason = "" if fits else why_not(wish)
    return Feasibility(errors=errors, feasible=fits and not errors, reason=reason or next(iter(errors.values()), ""))


@transaction.atomic
def guest_action_submit(
    *, actor: Actor, guest: Guest, action: GuestAction, params: Mapping[str, Any] | None = None
) -> Job:
    """Check the action against the state machine, note the intent, submit the job.

    Raises:
        InvalidStateError, ResourceBusyError: nothing was changed.
    """
    locked = _locked(guest)
    rule = _check(locked, action)
    job = _submit(actor, locked, action, params=params)
    if rule.wanted is not None and locked.power_wanted != rule.wanted:
        locked.power_wanted = rule.wanted
        locked.save(update_fields=["power_wanted"])
    _audit(actor, locked, f"{action}.requested")
    return job


def _locked(guest: Guest) -> Guest:
    return Guest.objects.select_for_update(of=("self",)).select_related("customer", "host", "image").get(pk=guest.pk)


def _check(guest: Guest, action: GuestAction) -> Any:
    return check_allowed(
        action,
        lifecycle=guest.lifecycle,
        power_state=guest.power_state,
        suspended=guest.suspensions.exists(),
        deleting=guest.deletion_requested_at is not None,
    )


_HOUSEKEEPING = frozenset({str(GuestAction.SCRUB_SEED)})  # nobody is refused because of these
SLOT_KINDS = {GuestAction.CREATE: "build", GuestAction.REBUILD: "build"}


def _submit(actor: Actor, guest: Guest, action: GuestAction, *, params: Mapping[str, Any] | None = None) -> Job:
    job = job_submit(
        action=action,
        actor=actor,
        resources=[("guest", guest.pk)],
        customer_id=guest.customer_id,
        params=params,
        host_id=guest.host_id,
        slot_kind=SLOT_KINDS.get(action, ""),
        may_wait=RULES[action].may_wait,
        wait_behind=_HOUSEKEEPING,
    )
    events.publish("guest", guest.pk, customer_id=guest.customer_id)
    return job


def _audit(actor: Actor, guest: Guest, action: str, **changes: tuple[Any, Any]) -> None:
    audit_record(
        actor=actor,
        action=action,
        object_type="guest",
        object_id=guest.pk,
        object_label=guest.name,
        customer_id=guest.customer_id,
        changes=changes,
    )


@transaction.atomic
def guest_reset_root_password(*, actor: Actor, guest: Guest, root_password: str | None) -> tuple[Job, str | None]:
    """Give root a new password: the caller's, or a new one, which is returned and shown once."""
    if root_password is not None:
        password_check(root_password)
    password = root_password or password_make()
    job = guest_action_submit(actor=actor, guest=guest, action=GuestAction.RESET_ROOT_PASSWORD)
    GuestSecret.objects.update_or_create(guest_id=guest.pk, defaults={"root_password_hash": password_hash(password)})
    Guest.objects.filter(pk=guest.pk).update(password_set=True)
    return job, None if root_password else password


@transaction.atomic
def guest_rebuild(
    *, actor: Actor, guest: Guest, root_password: str | None = None, want_password: bool = False, **changes: Any
) -> tuple[Job, str | None]:
    """Reinstall: the disk is made anew from ``image`` (or the same one). Everything on it is lost.

    ``changes`` may hold image, ssh_keys and user_data; name, addresses and size stay.
    """
    locked = _locked(guest)
    for name, value in changes.items():
        setattr(locked, name, list(value) if name == "ssh_keys" else value)
    request = GuestRequest(
        customer=locked.customer, name=locked.name, host_type=locked.host_type, vcpus=locked.vcpus,
        memory_mib=locked.memory_mib, disk_gib=locked.disk_gib, image=locked.image,
        ssh_keys=tuple(locked.ssh_keys), user_data=locked.user_data, root_password=root_password,
        want_password=want_password,
    )  # fmt: skip
    if errors := request_errors(request):
        raise InvalidInputError(fields=errors)
    password = _password_for(request)
    params = {"build_number": locked.build_number + 1}
    job = guest_action_submit(actor=actor, guest=locked, action=GuestAction.REBUILD, params=params)
    GuestSecret.objects.filter(guest=locked).delete()
    if password is not None:
        GuestSecret.objects.create(guest=locked, root_password_hash=password_hash(password))
    locked.password_set, locked.power_wanted = password is not None, PowerWanted.ON
    locked.booted_at, locked.seed_scrubbed_at, locked.host_keys, locked.error_message = None, None, [], ""
    locked.save()
    return job, password if root_password is None else None


@transaction.atomic
def guest_rename(*, actor: Actor, guest: Guest, **changes: Any) -> Guest:
    """Change a guest's name or labels. The name is the panel's; the host name inside stays as it is."""
    locked = _locked(guest)
    before = {name: getattr(locked, name) for name in changes}
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.save(update_fields=list(changes))
    _audit(actor, locked, "guest.changed", **{n: (before[n], v) for n, v in changes.items()})
    events.publish("guest", locked.pk, customer_id=locked.customer_id)
    locked.refresh_from_db()
    return locked


@transaction.atomic
def guest_delete(*, actor: Actor, guest: Guest) -> Job:
    """Delete a guest and its disks. Takes effect at once; the job waits for the present one and asks it to end.

    Asking again returns the job that is at work on it.
    """
    locked = _locked(guest)
    waiting = _job_of(locked, GuestAction.DELETE)
    if waiting is not None:
        return waiting
    _check(locked, GuestAction.DELETE)
    for row in JobResource.objects.filter(type="guest", resource_id=locked.pk, slot__isnull=False).select_related(
        "job"
    ):
        _make_way(row)
    job = _submit(actor, locked, GuestAction.DELETE)
    locked.deletion_requested_at, locked.power_wanted = timezone.now(), PowerWanted.OFF
    locked.save(update_fields=["deletion_requested_at", "power_wanted"])
    _audit(actor, locked, "guest.delete.requested")
    return job


def _make_way(row: JobResource) -> None:
    """Ask a holder to stop; a waiting suspend or unsuspend is pointless now and ends."""
    if row.slot == ResourceSlot.WAITING:
        job_drop(row.job, reason="The server is being deleted.")
    elif row.job.cancel_requested_at is None:
        job_cancel(job_id=row.job.pk)


def _job_of(guest: Guest, action: GuestAction) -> Job | None:
    return Job.objects.filter(
        resources__type="guest", resources__resource_id=guest.pk, resources__slot__isnull=False, action=action
    ).first()


@transaction.atomic
def guest_suspend(*, actor: Actor, guest: Guest, reason: str, note: str = "") -> Job | None:
    """Withhold service for a reason. The reason counts at once; the job stops the guest.

    Returns None when this reason is set already.
    """
    locked = _locked(guest)
    _check(locked, GuestAction.SUSPEND)
    first = not locked.suspensions.exists()
    was_running = first and locked.power_wanted == PowerWanted.ON and locked.power_state != PowerState.SHUTOFF
    _, created = GuestSuspension.objects.get_or_create(
        guest=locked, reason=reason, defaults={"note": note, "was_running": was_running}
    )
    if not created:
        return None
    locked.power_wanted = PowerWanted.OFF
    locked.save(update_fields=["power_wanted"])
    _audit(actor, locked, "guest.suspended", reason=(None, reason))
    events.publish("guest", locked.pk, customer_id=locked.customer_id)
    return _job_of(locked, GuestAction.SUSPEND) or _submit(actor, locked, GuestAction.SUSPEND)


@transaction.atomic
def guest_unsuspend(*, actor: Actor, guest: Guest, reason: str | None = None) -> Job | None:
    """Take one reason away (or all). When none is left, only what was running starts again.

    Returns None when nothing has to be started.
    """
    locked = _locked(guest)
    rows = locked.suspensions.filter(reason=reason) if reason else locked.suspensions.all()
    reasons = sorted(rows.values_list("reason", flat=True))
    if not reasons:
        return None
    was_running = locked.suspensions.filter(was_running=True).exists()
    rows.delete()
    left = locked.suspensions.order_by("created_at").first()
    if left is not None and was_running:
        left.was_running = True
        left.save(update_fields=["was_running"])
    _audit(actor, locked, "guest.unsuspended", reason=(reasons, []))
    events.publish("guest", locked.pk, customer_id=locked.customer_id)
    if left is not None or not was_running or locked.lifecycle != Lifecycle.ACTIVE:
        return None
    locked.power_wanted = PowerWanted.ON
    locked.save(update_fields=["power_wanted"])
    return _job_of(locked, GuestAction.UNSUSPEND) or _submit(actor, locked, GuestAction.UNSUSPEND)


def guest_retry(*, actor: Actor, guest: Guest, action: GuestAction) -> Job:
    """Submit a failed action again."""
    return guest_action_submit(actor=actor, guest=guest, action=action)


def seed_scrub(*, guest: Guest) -> Job | None:
    """Submit the job that takes the password's hash out of a booted guest's seed; None when it is busy."""
    try:
        if _job_of(guest, GuestAction.SCRUB_SEED) is not None:
            return None
        return _submit(SYSTEM, guest, GuestAction.SCRUB_SEED)
    except PanelError:
        return None
