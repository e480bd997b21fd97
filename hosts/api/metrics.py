"""HTTP for what hosts have used, and what the graphs of guests share with them."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hosts import selectors
from hosts.api.filters import parameter
from hosts.usage.kinds import HOST, Kind
from hosts.usage.open_window import stream_name
from hosts.usage.reading import Points, points_read
from hosts.usage.spans import MOST_POINTS, RANGES, STEPS, Span, span_between, span_of_range
from panel.core.api.query import choice_param, known_params, text_param, time_param
from panel.core.api.views import PanelView
from panel.core.clock import database_now
from panel.core.errors import InvalidInputError
from panel.core.permissions import Permission

Shape = serializers.Serializer[Any]
RANGE = parameter("range", "Until now. Instead of `from` and `to`. Default `1h`.", enum=RANGES)
SPAN = [
    RANGE,
    OpenApiParameter("from", {"type": "string", "format": "date-time"}, description="The first moment, in ISO 8601."),
    OpenApiParameter(
        "to", {"type": "string", "format": "date-time"}, description="The last moment; without it, now. Needs `from`."
    ),
    OpenApiParameter(
        "step",
        {"type": "integer", "enum": list(STEPS)},
        description=f"Seconds between points, of which there are at most {MOST_POINTS}. Without it, one that fits. "
        "Steps below 300 s reach a day back, below 3600 s a month, others two years.",
    ),
]
_MEANS = {
    "cpu_percent": "Of all processors together; 100 is all of them busy.",
    "cpu_delay_percent": "How long virtual processors were ready to run and waited for a real one, of the time they "
    "could have run.",
    "memory_used_mib": "Memory in use.",
    "disk_read_bytes_per_s": "Read from its disks. All four of disks are null where the host does not measure them, as "
    "some do not for containers.",
    "disk_write_bytes_per_s": "Written to its disks.",
    "disk_read_ops_per_s": "Read operations.",
    "disk_write_ops_per_s": "Write operations.",
    "net_received_bytes_per_s": "Received from the network.",
    "net_sent_bytes_per_s": "Sent to the network.",
}


def metrics_shape(name: str, kind: Kind, **more: serializers.Field[Any, Any, Any, Any]) -> type[Shape]:
    """Return the shape of one kind's metrics for OpenAPI."""
    arrays = {
        one: serializers.ListField(child=serializers.FloatField(allow_null=True), help_text=_MEANS[one])
        for one in kind.series
    }
    series = type(f"{name}Series", (serializers.Serializer,), {"__doc__": "A value a step; null: a gap.", **arrays})
    fields = {
        "__doc__": "Usage over time. All arrays have one value for each of `timestamps`.",
        "to": serializers.DateTimeField(),
        "step_s": serializers.IntegerField(),
        "resolution_s": serializers.IntegerField(help_text="Seconds of the samples that the values are made of."),
        "timestamps": serializers.ListField(child=serializers.DateTimeField(), help_text="When each step begins."),
        "series": series(help_text="Means, weighted by the time that was observed."),
        "peaks": series(help_text="The highest sample in each step."),
        "from": serializers.DateTimeField(),
        **more,
    }
    return type(f"{name}Out", (serializers.Serializer,), fields)


HostMetricsOut = metrics_shape(
    "HostMetrics", HOST, cpus=serializers.IntegerField(), memory_mib=serializers.IntegerField()
)


def span_asked(request: Request) -> Span:
    """Return the stretch of time that a request asks for. Raises InvalidInputError, naming the parameter."""
    known_params(request, "range", "from", "to", "step")
    now = database_now()
    name = choice_param(request, "range", RANGES)
    begin, end, step = time_param(request, "from"), time_param(request, "to"), text_param(request, "step")
    if step is not None and not (step.isascii() and step.isdigit() and int(step) in STEPS):
        raise InvalidInputError(fields={"step": f"Use one of: {', '.join(map(str, STEPS))}."})
    if name and (begin or end):
        raise InvalidInputError(fields={"range": "Use either `range`, or `from` and `to`."})
    if end and not begin:
        raise InvalidInputError(fields={"from": "Say also from when."})
    plain = span_of_range(name or "1h", now=now)
    if begin is None and step is None:
        return plain
    return span_between(begin=begin or plain.begin, end=end, step_s=int(step) if step else None, now=now)


def metrics_json(points: Points, **more: Any) -> dict[str, Any]:
    """Return points as JSON."""
    span = points.span
    return {
        "from": span.begin,
        "to": span.end,
        "step_s": span.step_s,
        "resolution_s": span.resolution.step_s,
        "timestamps": points.timestamps,
        "series": points.means,
        "peaks": points.peaks,
        **more,
    }


class HostMetricsView(PanelView):
    """``/hosts/{id}/metrics``."""

    permissions = {"GET": Permission.FLEET_VIEW}

    @extend_schema(
        operation_id="host_metrics", summary="Usage of a host", parameters=SPAN, responses=HostMetricsOut
    )  # fmt: skip
    def get(self, request: Request, host_id: UUID) -> Response:
        """Processors, memory, and, where its hypervisor tells, how long the guests' virtual processors waited for a
        real one. Staff only.
        """
        host = selectors.host_get_for(self.actor, host_id)
        streams = [
            stream_name(kind=HOST.name, host_id=host.pk, host_type=one.host_type) for one in host.connections.all()
        ]
        points = points_read(HOST, host.pk, span=span_asked(request), streams=streams)
        return Response(metrics_json(points, cpus=host.cpus, memory_mib=host.memory_mib))
