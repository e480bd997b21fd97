"""HTTP for how much of the fleet is really used."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hosts import selectors
from hosts.api.filters import parameter
from hosts.models import Host
from hosts.states import HostState
from hosts.usage.fleet import FleetUse, HostUse, fleet_use, hosts_use, utilisation_span
from hosts.usage.spans import RANGES
from panel.core.api.query import choice_param, known_params
from panel.core.api.views import PanelView
from panel.core.clock import database_now
from panel.core.permissions import Permission

Shape = serializers.Serializer[Any]


class AveragePeakOut(Shape):
    """Of the whole stretch; null when it is not known."""

    average = serializers.FloatField(allow_null=True)
    peak = serializers.FloatField(allow_null=True)


class CpuUseOut(Shape):
    """Percent of all its processors; null: no samples."""

    average = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True, help_text="Below this for 95 % of the time.")
    peak = serializers.FloatField(allow_null=True)


class SoldOut(Shape):
    """What is sold now."""

    vcpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()


class HostUseOut(Shape):
    """One host."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    location = serializers.CharField()
    state = serializers.ChoiceField(HostState.values)
    cpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    sold = SoldOut()
    cpu_percent = CpuUseOut()
    memory_used_mib = AveragePeakOut()
    cpu_delay_percent = AveragePeakOut(
        allow_null=True, help_text="How long virtual processors waited for a real one; null where no guest tells."
    )


class FleetUseOut(Shape):
    """All hosts together, a value a step; null: no host had samples."""

    timestamps = serializers.ListField(child=serializers.DateTimeField())
    cpu_percent = serializers.ListField(child=serializers.FloatField(allow_null=True))
    memory_percent = serializers.ListField(child=serializers.FloatField(allow_null=True))
    hosts = serializers.ListField(child=serializers.IntegerField(), help_text="How many hosts had samples.")


UtilisationOut = type(
    "UtilisationOut",
    (serializers.Serializer,),
    {
        "__doc__": "How much of the fleet is really used.",
        "from": serializers.DateTimeField(),
        "to": serializers.DateTimeField(),
        "step_s": serializers.IntegerField(),
        "hosts": HostUseOut(many=True, help_text="The idlest first; those without samples last."),
        "fleet": FleetUseOut(),
    },
)


class UtilisationView(PanelView):
    """``/hosts/utilisation``."""

    permissions = {"GET": Permission.FLEET_VIEW}

    @extend_schema(
        operation_id="host_utilisation",
        summary="Utilisation of the fleet",
        parameters=[parameter("range", "Until now. Default `24h`.", enum=RANGES)],
        responses=UtilisationOut,
    )
    def get(self, request: Request) -> Response:
        """What each host's processors and memory really did, the idlest first: candidates to empty and switch off.
        And all hosts together over time. Staff only.
        """
        known_params(request, "range")
        span = utilisation_span(choice_param(request, "range", RANGES) or "24h", now=database_now())
        hosts = list(selectors.host_list_for(self.actor).prefetch_related(None))
        ids = [host.pk for host in hosts]
        used = hosts_use(ids, span)
        hosts.sort(key=lambda host: (_idleness(used.get(host.pk)), host.name))
        body = {
            "from": span.begin,
            "to": span.end,
            "step_s": span.step_s,
            "hosts": [host_use_json(host, used.get(host.pk)) for host in hosts],
            "fleet": fleet_json(fleet_use(ids, span)),
        }
        return Response(body)


def _idleness(use: HostUse | None) -> float:
    return float("inf") if use is None else use.cpu_average_percent


def host_use_json(host: Host, use: HostUse | None) -> dict[str, Any]:
    """Return one host of the utilisation as JSON."""
    delay = None
    if use is not None and use.cpu_delay_average_percent is not None:
        delay = {"average": use.cpu_delay_average_percent, "peak": use.cpu_delay_peak_percent}
    return {
        "id": host.pk,
        "name": host.name,
        "location": host.location,
        "state": host.state,
        "cpus": host.cpus,
        "memory_mib": host.memory_mib,
        "sold": {"vcpus": host.used_vcpus, "memory_mib": host.used_memory_mib},
        "cpu_percent": {
            "average": use and use.cpu_average_percent,
            "p95": use and use.cpu_p95_percent,
            "peak": use and use.cpu_peak_percent,
        },
        "memory_used_mib": {"average": use and use.memory_average_mib, "peak": use and use.memory_peak_mib},
        "cpu_delay_percent": delay,
    }


def fleet_json(use: FleetUse) -> dict[str, Any]:
    """Return all hosts together as JSON."""
    return {
        "timestamps": use.timestamps,
        "cpu_percent": use.cpu_percent,
        "memory_percent": use.memory_percent,
        "hosts": use.hosts,
    }
