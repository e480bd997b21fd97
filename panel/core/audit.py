"""The only writer of the audit trail."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from panel.core.actors import Actor
from panel.core.models import AuditEntry

LIMIT_BYTES = 8 * 1024
_SECRET_WORDS = ("password", "secret", "token", "hash")


def audit_record(
    *,
    actor: Actor,
    action: str,
    object_type: str = "",
    object_id: UUID | None = None,
    object_label: str = "",
    customer_id: UUID | None = None,
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    outcome: str = "accepted",
) -> AuditEntry:
    """Write one entry, in the caller's transaction.

    ``changes`` maps a field to (before, after); only fields that differ are kept, secrets are named but
    not shown, and what would exceed 8 KiB is cut to the fields' names.
    """
    kept = {name: _shown(name, pair) for name, pair in (changes or {}).items() if pair[0] != pair[1]}
    if len(json.dumps(kept, default=str)) > LIMIT_BYTES:
        kept = {name: ["…", "…"] for name in kept}
    return AuditEntry.objects.create(
        action=action,
        outcome=outcome,
        actor_kind=actor.kind,
        actor_user_id=actor.user_id,
        actor_client_id=actor.client_id,
        actor_token_id=actor.token_id,
        actor_label=actor.label[:254],
        acting_for_id=actor.acting_for,
        address=actor.address,
        request_id=actor.request_id,
        customer_id=customer_id,
        object_type=object_type,
        object_id=object_id,
        object_label=object_label[:254],
        changes=json.loads(json.dumps(kept, default=str)),
    )


def _shown(name: str, pair: tuple[Any, Any]) -> list[Any]:
    if any(word in name for word in _SECRET_WORDS):
        return ["(secret)" if value else value for value in pair]
    return list(pair)
