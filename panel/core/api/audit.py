"""``/audit``: who did what; for staff."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.api.paging import page
from panel.core.api.query import choice_param, text_param, time_param, uuid_param
from panel.core.api.schema import list_parameters, page_of
from panel.core.api.views import PanelView
from panel.core.models import AuditEntry
from panel.core.permissions import Permission
from panel.core.selectors import audit_list_for

SORTS = {"at": "at"}
FILTERS = ("actor", "object", "object_type", "customer", "action", "outcome", "since", "until")


class AuditActorOut(serializers.Serializer[Any]):
    """Who did it."""

    kind = serializers.ChoiceField(["person", "integration", "system"])
    label = serializers.CharField(help_text="As they were called then.")  # type: ignore[assignment]
    user = serializers.UUIDField(allow_null=True)
    client = serializers.UUIDField(allow_null=True)
    token = serializers.UUIDField(allow_null=True)
    acting_for = serializers.UUIDField(allow_null=True, help_text="The customer staff acted as.")


class AuditObjectOut(serializers.Serializer[Any]):
    """What it was done to."""

    type = serializers.CharField()
    id = serializers.UUIDField(allow_null=True)
    label = serializers.CharField()  # type: ignore[assignment]


class AuditOut(serializers.Serializer[Any]):
    """One entry of the audit trail."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    action = serializers.CharField()
    outcome = serializers.ChoiceField(["accepted", "refused"])
    actor = AuditActorOut()
    address = serializers.CharField(allow_null=True)
    request_id = serializers.CharField()
    customer = serializers.UUIDField(allow_null=True)
    object = AuditObjectOut()
    changes = serializers.DictField(
        child=serializers.ListField(), help_text="Field → [before, after]; secrets are named, not shown."
    )


def audit_json(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as the API shows it."""
    return {
        "id": entry.id,
        "at": entry.at,
        "action": entry.action,
        "outcome": entry.outcome,
        "actor": {
            "kind": entry.actor_kind,
            "label": entry.actor_label,
            "user": entry.actor_user_id,
            "client": entry.actor_client_id,
            "token": entry.actor_token_id,
            "acting_for": entry.acting_for_id,
        },
        "address": entry.address,
        "request_id": entry.request_id,
        "customer": entry.customer_id,
        "object": {"type": entry.object_type, "id": entry.object_id, "label": entry.object_label},
        "changes": entry.changes,
    }


class AuditListView(PanelView):
    """The audit trail, newest first."""

    permissions = {"GET": Permission.AUDIT_VIEW}

    @extend_schema(
        summary="List audit entries",
        parameters=list_parameters(
            SORTS,
            OpenApiParameter("actor", str, description="A user's or client's id, or part of the actor's name then."),
            OpenApiParameter("object", UUID, description="Entries about this object."),
            OpenApiParameter("object_type", str, description="`guest`, `customer`, `user`, …"),
            OpenApiParameter("customer", UUID, description="Entries about this customer's things."),
            OpenApiParameter("action", str, description="Exactly this action; ending in a dot, all that begin so."),
            OpenApiParameter("outcome", str, enum=["accepted", "refused"]),
            OpenApiParameter("since", str, description="At or after this time (ISO 8601)."),
            OpenApiParameter("until", str, description="Before this time."),
            default="-at",
        ),
        responses=page_of(AuditOut),
    )
    def get(self, request: Request) -> Response:
        rows = audit_list_for(self.actor)
        if actor := text_param(request, "actor"):
            rows = _by_actor(rows, actor)
        simple = {
            "object_id": uuid_param(request, "object"),
            "object_type": text_param(request, "object_type"),
            "customer_id": uuid_param(request, "customer"),
            "outcome": choice_param(request, "outcome", ("accepted", "refused")),
            "at__gte": time_param(request, "since"),
            "at__lt": time_param(request, "until"),
        }
        if action := text_param(request, "action"):
            simple["action__startswith" if action.endswith(".") else "action"] = action
        rows = rows.filter(**{name: value for name, value in simple.items() if value is not None})
        return page(request, rows, show=audit_json, sorts=SORTS, default="-at", filters=FILTERS)


def _by_actor(rows: Any, actor: str) -> Any:
    try:
        known = UUID(actor)
    except ValueError:
        return rows.filter(actor_label__icontains=actor)
    return rows.filter(actor_user_id=known) | rows.filter(actor_client_id=known)
