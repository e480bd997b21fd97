"""Root's password and reinstalling: what makes a guest belong to somebody anew."""

from typing import Any

from django.db import transaction

from panel.core.actors import Actor
from panel.core.errors import InvalidInputError, InvalidStateError
from panel.core.models import Job
from vms.models import Guest, GuestSecret
from vms.services.actions import guest_action_submit, guest_locked
from vms.services.passwords import password_check, password_for, password_hash, password_make
from vms.services.validation import GuestRequest, request_errors
from vms.states import NOT_TAKEN_OVER, GuestAction, PowerWanted


@transaction.atomic
def guest_reset_root_password(*, actor: Actor, guest: Guest, root_password: str | None) -> tuple[Job, str | None]:
    """Give root a new password: the caller's, or a new one, which is returned and shown once."""
    if root_password is not None:
        password_check(root_password)
    password = root_password or password_make()
    params = {"password_set": guest.password_set}
    job = guest_action_submit(actor=actor, guest=guest, action=GuestAction.RESET_ROOT_PASSWORD, params=params)
    GuestSecret.objects.update_or_create(guest_id=guest.pk, defaults={"root_password_hash": password_hash(password)})
    Guest.objects.filter(pk=guest.pk).update(password_set=True)
    return job, None if root_password else password


@transaction.atomic
def guest_rebuild(
    *, actor: Actor, guest: Guest, root_password: str | None = None, want_password: bool = False, **changes: Any
) -> tuple[Job, str | None]:
    """Reinstall: the disk is made anew from ``image`` (or the same one). Everything on it is lost.

    ``changes`` may hold image, ssh_keys and user_data; name, addresses and size stay. A job that ends before it
    has touched the old disk puts everything back (``rebuild_revert``).
    """
    locked = guest_locked(guest)
    if locked.domain_name:
        raise InvalidStateError(NOT_TAKEN_OVER[GuestAction.REBUILD])
    before = _present(locked)
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
    password = password_for(root_password, wanted=want_password or not request.ssh_keys)
    params = {"build_number": locked.build_number + 1}
    job = guest_action_submit(actor=actor, guest=locked, action=GuestAction.REBUILD, params=params)
    GuestSecret.objects.filter(guest=locked).delete()
    if password is not None:
        GuestSecret.objects.create(guest=locked, root_password_hash=password_hash(password))
    locked.password_set, locked.power_wanted = password is not None, PowerWanted.ON
    locked.booted_at, locked.seed_scrubbed_at, locked.host_keys, locked.error_message = None, None, [], ""
    locked.hostname, locked.before_rebuild = locked.name, before
    locked.save()
    return job, password if root_password is None else None


_REPLACED = (
    "hostname", "image_id", "ssh_keys", "user_data", "password_set", "power_wanted", "booted_at", "seed_scrubbed_at",
    "host_keys", "error_message",
)  # fmt: skip


def _present(guest: Guest) -> dict[str, Any]:
    """Return what a rebuild's request replaces. Kept in the guest and not in the job: user-data may hold secrets."""
    secret = GuestSecret.objects.filter(guest=guest).first()
    waiting = {"root_password_hash": secret.root_password_hash} if secret else {}
    return {name: getattr(guest, name) for name in _REPLACED} | waiting


def rebuild_revert(*, guest: Guest) -> None:
    """Put back what the request for a rebuild replaced. Called in the transaction that closes the job."""
    before = dict(guest.before_rebuild)
    if not before:
        return
    waiting = before.pop("root_password_hash", None)
    GuestSecret.objects.filter(guest=guest).delete()
    if waiting is not None:
        GuestSecret.objects.create(guest=guest, root_password_hash=waiting)
    Guest.objects.filter(pk=guest.pk).update(**before, before_rebuild={})
