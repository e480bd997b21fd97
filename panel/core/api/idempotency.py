"""``Idempotency-Key``: the answer is kept in the transaction of its effects, and given again to repeats.

Repeats wait for the first by an advisory lock of the transaction, so a process that dies in between
leaves nothing to clean up: either both the effects and the answer are there, or neither. Repeats to the same
web process wait before they come here (``panel.live.repeats``), so that they do not keep it from others.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from panel.core.actors import Actor
from panel.core.api.query import bool_param
from panel.core.errors import IdempotencyInFlightError, IdempotencyMismatchError, InvalidInputError
from panel.core.models import IdempotencyRecord

WAIT_MS = 10_000
WAIT_LEFT = "innkeeper.idempotency_wait_ms"  # in the ASGI scope, for one that has waited before
IN_FLIGHT_AFTER_S = 2
ONCE = "root_password", "token", "set_password_url"  # shown in the first answer only


def idempotent(request: Request, answer: Callable[[], Response]) -> Response:
    """Return ``answer()``, or the answer given before to the same key by the same client.

    Raises:
        InvalidInputError: the key is not 1 to 200 printable characters.
        IdempotencyMismatchError: the key was used with another request.
        IdempotencyInFlightError: the first request did not end within 10 s.
    """
    key = request.headers.get("Idempotency-Key")
    actor = cast(Actor, request.user)
    if key is None or actor.client_id is None or bool_param(request, "dry_run"):
        with transaction.atomic():
            return answer()
    if not 1 <= len(key) <= 200 or not key.isprintable():
        raise InvalidInputError(fields={"Idempotency-Key": "Use 1 to 200 printable characters."})
    return _once(request, actor, key, answer)


def _once(request: Request, actor: Actor, key: str, answer: Callable[[], Response]) -> Response:
    digest, client_id = _request_hash(request, actor), cast(UUID, actor.client_id)
    with transaction.atomic():
        _lock(f"{client_id}:{key}", wait_ms=getattr(request._request, "scope", {}).get(WAIT_LEFT))
        records = IdempotencyRecord.objects.filter(client_id=client_id, key=key)
        # Whether or not the chore that clears them away has run. It may run now: then there is nothing to delete.
        records.filter(created_at__lt=Now() - timedelta(days=settings.IDEMPOTENCY_DAYS)).delete()
        record = records.first()
        if record is not None:
            return _replay(record, digest)
        response = answer()
        IdempotencyRecord.objects.create(
            client_id=client_id,
            key=key,
            request_hash=digest,
            status_code=response.status_code,
            body=_kept(response.data),
            location=response.get("Location", ""),
            etag=response.get("ETag", ""),
        )
        return response


def _lock(name: str, *, wait_ms: int | None = None) -> None:
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = %s", [WAIT_MS if wait_ms is None else wait_ms])
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
            cursor.execute("SET LOCAL lock_timeout = 0")
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", "") != "55P03":
            raise
        raise IdempotencyInFlightError(retry_after_s=IN_FLIGHT_AFTER_S) from error


def _request_hash(request: Request, actor: Actor) -> str:
    body = json.dumps(request.data, sort_keys=True, default=str)
    text = f"{request.method} {request.get_full_path()} {body}"
    if actor.acting_for is not None:
        text += f" for {actor.acting_for}"
    # Keyed, because a body may hold a password that a plain hash would let somebody guess.
    return hmac.new(settings.TOKEN_PEPPER.encode(), text.encode(), hashlib.sha256).hexdigest()


def _kept(body: Any) -> str | None:
    """Return an answer without its secrets, as text: PostgreSQL would give its fields back in another order."""
    if body is None:
        return None
    kept = json.loads(json.dumps(body, cls=JSONEncoder))
    if isinstance(kept, dict):
        for name in ONCE:
            if kept.get(name) is not None:
                kept |= {name: None, f"{name}_shown": True}
    return json.dumps(kept)


def _replay(record: IdempotencyRecord, digest: str) -> Response:
    if record.request_hash != digest:
        raise IdempotencyMismatchError
    body = json.loads(record.body) if isinstance(record.body, str) else record.body  # as an older version kept it
    response = Response(body, status=record.status_code)
    response["Idempotent-Replayed"] = "true"
    for name, value in {"Location": record.location, "ETag": record.etag}.items():
        if value:
            response[name] = value
    return response
