"""``/events`` as OpenAPI and the permission table know it; ``panel.live`` answers it."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import renderers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.api.problems import CONTENT_TYPE, problem
from panel.core.api.views import PanelView


class _AlwaysJson(BaseContentNegotiation):
    """Lets ``Accept: text/event-stream`` through to the answer below."""

    def select_parser(self, request, parsers):  # type: ignore[no-untyped-def]
        return parsers[0]

    def select_renderer(self, request, renderers_, format_suffix=None):  # type: ignore[no-untyped-def]
        return renderers.JSONRenderer(), "application/json"


class EventsView(PanelView):
    """Live changes. Only an ASGI server can hold the stream open; any other answers 503."""

    permissions = {"GET": None}
    content_negotiation_class = _AlwaysJson

    @extend_schema(
        summary="Live changes (server-sent events)",
        description='Each event is `data: {"type": "guest", "id": "…"}`: what changed, of what the caller sees, never '
        "the data itself. Nothing is replayed: after a reconnect read again what you show. An event `alive` comes "
        "every 15 seconds; 503 with `Retry-After` while changes cannot be followed.",
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> Response:
        detail = "Live changes need the ASGI server."
        request_id = getattr(request._request, "request_id", "")
        body = problem(status=503, code="events_unavailable", detail=detail, request_id=request_id)
        return Response(body, status=503, content_type=CONTENT_TYPE, headers={"Retry-After": "30"})
