"""API tokens and the integrations that own them."""

import secrets
import string
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from panel.core import events
from panel.core.actors import Actor, person
from panel.core.audit import audit_record
from panel.core.errors import InvalidInputError, InvalidStateError, PermissionDeniedError
from panel.core.models import ApiClient, ApiToken, ClientRole, TokenScope, User
from panel.core.permissions import Permission
from panel.core.secrets import PREFIX_LENGTH, SECRET_LENGTH, secret_hmac

_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class TokenCreated:
    """A new token. ``value`` is the whole token, 64 letters and digits, and is kept nowhere."""

    token: ApiToken
    value: str


@transaction.atomic
def token_create(
    *,
    actor: Actor,
    name: str,
    scope: str = TokenScope.WRITE,
    expires_at: datetime | None = None,
    client: ApiClient | None = None,
) -> TokenCreated:
    """Make a token for the caller, or for an integration (``client``; administrators only).

    Raises:
        InvalidInputError: ``expires_at`` has passed, or ``client`` is a person's.
        PermissionDeniedError: the caller may not, or acts for a customer just now.
    """
    owner = _owner(actor, client)
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidInputError(fields={"expires_at": "This time has passed already."})
    prefix, secret = _random(PREFIX_LENGTH), _random(SECRET_LENGTH)
    token = ApiToken.objects.create(
        client=owner,
        name=name,
        prefix=prefix,
        secret_hmac=secret_hmac(secret),
        scope=scope,
        expires_at=expires_at,
        created_by_id=actor.user_id,
    )
    token.refresh_from_db()
    _publish(token)
    audit_record(
        actor=actor,
        action="token.created",
        object_type="token",
        object_id=token.pk,
        object_label=name,
        changes={
            "scope": (None, str(scope)),
            "expires_at": (None, expires_at and expires_at.isoformat()),
            "owner": (None, owner.name),
        },
    )
    return TokenCreated(token, prefix + secret)


def _owner(actor: Actor, client: ApiClient | None) -> ApiClient:
    if actor.acting_for is not None:
        raise PermissionDeniedError("Stop acting for the customer first: a token would be your own, not theirs.")
    if client is None or client.pk == actor.client_id:
        if actor.client_id is None:
            raise InvalidInputError(fields={"client": "Say whose token this is."})
        if not actor.may_somewhere(Permission.TOKEN_MANAGE):
            raise PermissionDeniedError
        return ApiClient.objects.get(pk=actor.client_id)
    actor.require(Permission.USER_MANAGE)
    if client.user_id is not None:
        raise InvalidInputError(fields={"client": "People make their own tokens; this client is a person's."})
    if not client.is_active:
        raise InvalidInputError(fields={"client": "This client is switched off."})
    return client


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


@transaction.atomic
def token_revoke(*, actor: Actor, token: ApiToken) -> ApiToken:
    """End a token at once. Revoking a revoked one changes nothing."""
    if token.client_id != actor.client_id:
        actor.require(Permission.USER_MANAGE)
    if token.revoked_at is None:
        _end(actor, token)
    return token


def tokens_end(*, actor: Actor, user: User) -> None:
    """End all of a person's tokens, in the caller's transaction."""
    for token in ApiToken.objects.filter(client__user=user, revoked_at__isnull=True).select_related("client"):
        _end(actor, token)


def tokens_end_without_right(*, actor: Actor, user: User) -> None:
    """End a person's tokens once no role of theirs lets them see and revoke tokens, in the caller's transaction."""
    if not person(user).may_somewhere(Permission.TOKEN_MANAGE):
        tokens_end(actor=actor, user=user)


def _end(actor: Actor, token: ApiToken) -> None:
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    audit_record(actor=actor, action="token.revoked", object_type="token", object_id=token.pk, object_label=token.name)
    _publish(token)


def _publish(token: ApiToken) -> None:
    events.publish("token", token.pk, user_id=token.client.user_id)


@transaction.atomic
def client_create(*, actor: Actor, name: str, role: str) -> ApiClient:
    """Make an integration. Its tokens have its role's rights."""
    actor.require(Permission.USER_MANAGE)
    client = ApiClient.objects.create(name=name, role=role)
    client.refresh_from_db()
    events.publish("client", client.pk)
    audit_record(
        actor=actor,
        action="client.created",
        object_type="client",
        object_id=client.pk,
        object_label=name,
        changes={"role": (None, str(role))},
    )
    return client


@transaction.atomic
def client_update(*, actor: Actor, client: ApiClient, changes: dict[str, object]) -> ApiClient:
    """Rename an integration, change its role, switch it off (its tokens stop) or on.

    Raises:
        InvalidStateError: the client is a person's.
    """
    actor.require(Permission.USER_MANAGE)
    if client.user_id is not None or client.role == ClientRole.NONE:
        raise InvalidStateError("This client is a person's; change the user instead.")
    before = {name: getattr(client, name) for name in changes}
    for name, value in changes.items():
        setattr(client, name, value)
    client.save(update_fields=list(changes))
    events.publish("client", client.pk)
    audit_record(
        actor=actor,
        action="client.changed",
        object_type="client",
        object_id=client.pk,
        object_label=client.name,
        changes={name: (before[name], value) for name, value in changes.items()},
    )
    return client
