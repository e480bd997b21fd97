"""Public keys a customer keeps for new servers."""

from django.db import IntegrityError, transaction

from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import ConflictError
from panel.core.models import Customer, SshKey
from panel.core.people.ssh_public_key import public_key_parse
from panel.core.permissions import Permission


@transaction.atomic
def key_create(*, actor: Actor, customer: Customer, name: str, public_key: str) -> SshKey:
    """Keep a public key. Servers made before are not changed.

    Raises:
        InvalidInputError: it is not an OpenSSH public key.
        ConflictError: the customer has this key, or another of this name.
    """
    actor.require(Permission.KEY_MANAGE, customer.pk)
    parsed = public_key_parse(public_key)
    same = SshKey.objects.filter(customer=customer, fingerprint=parsed.fingerprint).first()
    if same is not None:
        raise ConflictError(f"This key is kept already, as “{same.name}”.", key_id=str(same.pk))
    try:
        with transaction.atomic():
            key = SshKey.objects.create(
                customer=customer, name=name, public_key=parsed.line, fingerprint=parsed.fingerprint
            )
    except IntegrityError as error:
        raise ConflictError("A key with this name or content is kept already.") from error
    key.refresh_from_db()
    _announce(actor, "key.created", key, {"fingerprint": (None, key.fingerprint)})
    return key


@transaction.atomic
def key_rename(*, actor: Actor, key: SshKey, name: str) -> SshKey:
    """Give a key another name.

    Raises:
        ConflictError: the customer has another key of this name.
    """
    actor.require(Permission.KEY_MANAGE, key.customer_id)
    before, key.name = key.name, name
    try:
        with transaction.atomic():
            key.save(update_fields=["name"])
    except IntegrityError as error:
        raise ConflictError("A key with this name is kept already.") from error
    _announce(actor, "key.changed", key, {"name": (before, name)})
    return key


@transaction.atomic
def key_delete(*, actor: Actor, key: SshKey) -> None:
    """Forget a key. Servers made with it still accept it."""
    actor.require(Permission.KEY_MANAGE, key.customer_id)
    SshKey.objects.filter(pk=key.pk).delete()
    _announce(actor, "key.deleted", key, {"fingerprint": (key.fingerprint, None)})


def _announce(actor: Actor, action: str, key: SshKey, changes: dict[str, tuple[str | None, str | None]]) -> None:
    audit_record(
        actor=actor,
        action=action,
        object_type="ssh-key",
        object_id=key.pk,
        object_label=key.name,
        customer_id=key.customer_id,
        changes=changes,
    )
    events.publish("ssh-key", key.pk, customer_id=key.customer_id)
