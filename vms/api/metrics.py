"""HTTP for what guests have used."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hosts.api.metrics import SPAN, metrics_json, metrics_shape, span_asked
from hosts.usage.kinds import GUEST
from hosts.usage.open_window import stream_name
from hosts.usage.reading import points_read, recent_cpu
from panel.core.api.query import known_params
from panel.core.api.views import PanelView
from panel.core.clock import database_now
from panel.core.errors import InvalidInputError
from panel.core.permissions import Permission
from vms import selectors

MOST_SPARKLINES = 200
GuestMetricsOut = metrics_shape(
    "GuestMetrics", GUEST, vcpus=serializers.IntegerField(), memory_mib=serializers.IntegerField()
)


class GuestMetricsView(PanelView):
    """``/guests/{id}/metrics``."""

    permissions = {"GET": Permission.GUEST_VIEW}

    def must_see(self) -> None:
        selectors.guest_get_for(self.actor, self.kwargs["guest_id"])

    @extend_schema(operation_id="guest_metrics", summary="Usage of a guest", parameters=SPAN, responses=GuestMetricsOut)
    def get(self, request: Request, guest_id: UUID) -> Response:
        """Processors, memory, disks and network over time: every 15 seconds for a day, 5 minutes for a month, an hour
        for two years. The last hour without parameters. While a guest is off or its host silent there are gaps.
        """
        guest = selectors.guest_get_for(self.actor, guest_id)
        self.actor.require(Permission.GUEST_VIEW, guest.customer_id)
        streams = []
        if guest.host_id is not None:
            streams = [stream_name(kind=GUEST.name, host_id=guest.host_id, host_type=guest.host_type)]
        points = points_read(GUEST, guest.pk, span=span_asked(request), streams=streams)
        return Response(metrics_json(points, vcpus=guest.vcpus, memory_mib=guest.memory_mib))


class SparklineOut(serializers.Serializer[Any]):
    """One guest."""

    id = serializers.UUIDField()
    cpu_percent = serializers.ListField(child=serializers.FloatField(allow_null=True), help_text="null: a gap.")


SparklinesOut = type(
    "SparklinesOut",
    (serializers.Serializer,),
    {
        "__doc__": "The last hour's CPU use of several guests, a value for five minutes.",
        "from": serializers.DateTimeField(),
        "to": serializers.DateTimeField(),
        "step_s": serializers.IntegerField(),
        "results": SparklineOut(many=True, help_text="Those that have samples and that you may see."),
    },
)


class GuestSparklinesView(PanelView):
    """``/guests/sparklines``."""

    permissions = {"GET": Permission.GUEST_VIEW}

    @extend_schema(
        operation_id="guest_sparklines",
        summary="CPU of several guests",
        parameters=[
            OpenApiParameter(
                "ids", str, description=f"At most {MOST_SPARKLINES} ids with commas between.", required=True
            )
        ],
        responses=SparklinesOut,
    )
    def get(self, request: Request) -> Response:
        """The last hour's CPU use of the guests that a list shows, in one request. Others' guests are left out."""
        known_params(request, "ids")
        wanted = _ids(request.query_params.get("ids", ""))
        seen = selectors.guests_of(self.actor).filter(pk__in=wanted).values_list("pk", flat=True)
        span, found = recent_cpu(GUEST, list(seen), now=database_now())
        body = {
            "from": span.begin,
            "to": span.end,
            "step_s": span.step_s,
            "results": [{"id": pk, "cpu_percent": found[pk]} for pk in wanted if pk in found],
        }
        return Response(body)


def _ids(text: str) -> list[UUID]:
    parts = [part for part in text.split(",") if part]
    if not 1 <= len(parts) <= MOST_SPARKLINES:
        raise InvalidInputError(fields={"ids": f"Name 1 to {MOST_SPARKLINES} guests."})
    try:
        return list(dict.fromkeys(map(UUID, parts)))
    except ValueError as error:
        raise InvalidInputError(fields={"ids": "These are not ids (UUIDs) with commas between."}) from error
