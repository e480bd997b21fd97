"""A difference in JSON."""

from typing import Any

from rest_framework import serializers

from panel.core.actors import Actor
from panel.core.api.job_json import JobOut
from panel.core.permissions import Permission
from vms.models import Difference, DifferenceKind, DifferenceState, Severity
from vms.services.reconcile.actions import ACTIONS, needs_confirmation, refusals

EVERY_STATE = "any"
STATES = [*DifferenceState.values, EVERY_STATE]


class DifferenceActionOut(serializers.Serializer[Any]):
    """Whether something can be done about it now."""

    action = serializers.ChoiceField(ACTIONS)
    allowed = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)


class DifferenceOut(serializers.Serializer[Any]):
    """One thing on which the panel, a host and billing do not agree."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(DifferenceKind.choices)
    severity = serializers.ChoiceField(Severity.choices)
    state = serializers.ChoiceField(DifferenceState.choices, help_text="`suspected`: more looks are needed as proof.")
    label = serializers.CharField(help_text="What it is about: a name or an address.")  # type: ignore[assignment]
    host = serializers.UUIDField(allow_null=True)
    host_name = serializers.CharField(allow_null=True)
    host_type = serializers.CharField(allow_blank=True)
    customer = serializers.UUIDField(allow_null=True)
    customer_name = serializers.CharField(allow_null=True)
    object_type = serializers.CharField(help_text="`guest`, `domain`, `volume`, `address`, `host`, `pool`, …")
    object_id = serializers.UUIDField(allow_null=True)
    expected = serializers.DictField(help_text="What the panel has.")
    found = serializers.DictField(help_text="What was seen.")
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    repair_asked_by = serializers.CharField(
        allow_null=True, help_text="Who asked for all guests of its host to be repaired; it waits for the limiter."
    )
    ignored_by = serializers.CharField(allow_null=True)
    ignored_reason = serializers.CharField(allow_null=True)
    ignored_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_how = serializers.CharField(allow_null=True, help_text="`vanished`, `repaired`, `released`, `adopted`.")
    confirm = serializers.BooleanField(help_text="Releasing it loses data: its label has to be sent as `confirm`.")
    actions = DifferenceActionOut(many=True)
    version = serializers.IntegerField()


class DifferenceSettledOut(serializers.Serializer[Any]):
    """The difference, the job that works on it if one is needed, and when it takes effect."""

    difference = DifferenceOut()
    job = JobOut(allow_null=True)
    takes_effect = serializers.ChoiceField(["now", "at the next start"])


def difference_json(row: Difference, actor: Actor) -> dict[str, Any]:
    """Return a difference as the API shows it."""
    may = actor.may(Permission.FLEET_MANAGE)
    reasons = refusals(row) if may else dict.fromkeys(ACTIONS, "Your role does not allow this.")
    return {
        "id": row.pk,
        "kind": row.kind,
        "severity": row.severity,
        "state": row.state,
        "label": row.label,
        "host": row.host_id,
        "host_name": row.host.name if row.host else None,
        "host_type": row.host_type,
        "customer": row.customer_id,
        "customer_name": row.customer.name if row.customer else None,
        "object_type": row.object_type,
        "object_id": row.object_id,
        "expected": row.expected,
        "found": row.found,
        "first_seen_at": row.created_at,
        "last_seen_at": row.last_seen_at,
        "repair_asked_by": row.repair_asked_by or None,
        "ignored_by": row.ignored_by or None,
        "ignored_reason": row.ignored_reason or None,
        "ignored_at": row.ignored_at,
        "closed_at": row.closed_at,
        "closed_how": row.closed_how or None,
        "confirm": bool(needs_confirmation(row)),
        "actions": [_action(action, reasons[action]) for action in ACTIONS],
        "version": row.version,
    }


def _action(action: str, reason: str) -> dict[str, Any]:
    return {"action": action, "allowed": not reason, "reason": reason}
