"""What is remembered of a token's use: when, from where, and the first time from each address."""

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.middleware import network_of
from panel.core.models import ApiToken, TokenNetwork

KEPT = 1000  # addresses of a token; past that the oldest is forgotten, and audited again when it comes back
_FIRST = """
INSERT INTO core_tokennetwork (token_id, network) VALUES (%s, %s) ON CONFLICT (token_id, network) DO NOTHING
"""


def token_used(token: ApiToken, actor: Actor) -> None:
    """Remember when and from where, at most once a minute; the first use from an address is audited.

    Of IPv6 the /64 counts: a subscriber changes the rest at will.
    """
    now = timezone.now()
    known = token.last_used_address == actor.address or _is_known(token, actor)
    if known and token.last_used_at and now - token.last_used_at < timedelta(minutes=1):
        return
    with transaction.atomic():
        if not known and _is_first(token, actor):
            audit_record(
                actor=actor,
                action="token.used-from-new-address",
                object_type="token",
                object_id=token.pk,
                object_label=token.name,
                changes={"address": (token.last_used_address, actor.address)},
            )
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now, last_used_address=actor.address)


def _is_known(token: ApiToken, actor: Actor) -> bool:
    return TokenNetwork.objects.filter(token=token, network=network_of(actor.address)).exists()


def _is_first(token: ApiToken, actor: Actor) -> bool:
    """Insert the address. True for one of those who do so at the same moment, and only the first time."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, [token.pk, network_of(actor.address)])
        first = cursor.rowcount == 1
    if first:
        newest = TokenNetwork.objects.filter(token=token).order_by("-first_used_at")
        TokenNetwork.objects.filter(pk__in=newest.values("pk")[KEPT:]).delete()
    return first


def token_uses_forget() -> None:
    """Forget the addresses of tokens that have ended. They cannot be used again."""
    TokenNetwork.objects.filter(Q(token__revoked_at__isnull=False) | Q(token__expires_at__lt=timezone.now())).delete()
