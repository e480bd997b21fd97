"""HTTP for what happens across the fleet."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.api.query import known_params
from panel.core.api.views import PanelView
from panel.core.permissions import Permission
from vms.selectors import arrivals_and_departures


class DayOut(serializers.Serializer[Any]):
    """One day in UTC."""

    date = serializers.DateField()
    arrived = serializers.IntegerField(help_text="Guests ordered.")
    departed = serializers.IntegerField(help_text="Guests deleted.")


class WeekOut(serializers.Serializer[Any]):
    """Seven days, the oldest first, today last."""

    days = DayOut(many=True)


class FleetWeekView(PanelView):
    """``/fleet/week``."""

    permissions = {"GET": Permission.FLEET_VIEW}

    @extend_schema(operation_id="fleet_week", summary="Arrivals and departures", responses=WeekOut)
    def get(self, request: Request) -> Response:
        """How many guests came and went on each of the last seven days. Staff only."""
        known_params(request)
        days = arrivals_and_departures(self.actor, today=timezone.now().date())
        shown = [{"date": day.date, "arrived": day.arrived, "departed": day.departed} for day in days]
        return Response({"days": shown})
