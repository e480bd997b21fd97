"""OpenAPI: what every operation shares."""

from collections.abc import Iterable
from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Repeat a request with the same key and you get the first answer again (`Idempotent-Replayed: true`), "
    "not a second effect. Kept for seven days per client. While the first one is under way a repeat waits up to ten "
    "seconds, then it is refused with 409 `idempotency_in_flight`: send it again after `Retry-After`. With another "
    "body or path it is refused with 422 `idempotency_key_reused`. What was refused leaves the key free.",
)
REPLAYED = {"schema": {"type": "string", "enum": ["true"]}, "description": "Only in answers that are given again."}
RETRY_AFTER = {"schema": {"type": "integer"}, "description": "Seconds, where trying again makes sense."}
PAGING = [
    OpenApiParameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50}, description="Rows a page."
    ),
    OpenApiParameter("cursor", str, description="`next` of the page before; bound to sort and filters."),
]


def shown_before() -> serializers.BooleanField:
    """Return the field that an answer given again has for what is null in it, as only the first one showed it."""
    return serializers.BooleanField(required=False, help_text="True in answers given again: the first one showed it.")


def page_of(row: type[serializers.Serializer[Any]]) -> type[serializers.Serializer[Any]]:
    """Return the serializer that documents one page of rows."""
    fields = {
        "results": row(many=True),
        "next": serializers.CharField(allow_null=True, help_text="`cursor` of the next page; null on the last."),
    }
    return type(f"{row.__name__.removesuffix('Out')}Page", (serializers.Serializer,), fields)


def list_parameters(sorts: Iterable[str], *filters: OpenApiParameter, default: str = "-created_at") -> list[Any]:
    """Return the parameters of a list: paging, its sort keys and its filters."""
    keys = [sign + name for name in sorts for sign in ("", "-")]
    sort = OpenApiParameter(
        "sort", {"type": "string", "enum": keys, "default": default}, description="`-` in front: descending."
    )
    return [*PAGING, sort, *filters]


_VERBS = {"GET": "get", "POST": "create", "PATCH": "update", "PUT": "replace", "DELETE": "delete"}


class PanelSchema(AutoSchema):
    """Adds the headers and error answers that all operations have, and groups by the first path part."""

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def get_operation_id(self) -> str:
        """Return a stable name for client generators: ``customers_list``, ``guests_start``, …"""
        parts = [part for part in self.path.removeprefix("/api/v1/").split("/") if not part.startswith("{")]
        if "actions" in parts:
            parts.remove("actions")
        elif self.method == "GET" and not self.path.endswith("}") and self._lists():
            parts.append("list")
        else:
            parts.append(_VERBS[self.method])
        return "_".join(parts).replace("-", "_")

    def _lists(self) -> bool:
        """True when the operation answers with a page of rows."""
        return any(getattr(p, "name", "") == "cursor" for p in self.get_override_parameters())

    def get_override_parameters(self) -> list[Any]:
        return [IDEMPOTENCY_KEY] if self.method == "POST" else []

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        reference = {
            "description": "Problem (RFC 9457).",
            "content": {"application/problem+json": {"schema": PROBLEM}},
        }
        if self.method == "POST":
            for answer in (body for status, body in bodies.items() if status.startswith("2")):
                answer["headers"] = {**answer.get("headers", {}), "Idempotent-Replayed": REPLAYED}
        for status in self._problem_statuses():
            retried = {"headers": {"Retry-After": RETRY_AFTER}} if status in ("409", "429", "503") else {}
            bodies.setdefault(status, {**reference, **retried})
        return bodies

    def _problem_statuses(self) -> list[str]:
        statuses = ["400", "401", "403", "404", "429", "503"]
        if self.method in ("POST", "PATCH", "DELETE"):
            statuses += ["409", "412", "415", "422"]
        return statuses


PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; programs decide by it."},
        "detail": {"type": "string", "description": "One sentence that a customer may read."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "request_id": {"type": "string"},
    },
}
