"""HTTP for capacity: how many more servers of a plan fit."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import selectors
from billing.capacity import Room, capacity_of
from billing.models import Plan
from hosts.api.filters import parameter
from panel.core.api.query import known_params, text_param
from panel.core.api.views import PanelView
from panel.core.permissions import Permission

CUSTOMERS_SEE = 10  # a customer may know that little is left, not how large the house is
Shape = serializers.Serializer[Any]


class PlanRoomOut(Shape):
    """How many more fit."""

    plan = serializers.CharField(help_text="The plan's slug.")
    location = serializers.CharField()
    host_type = serializers.CharField()
    fits = serializers.IntegerField(help_text=f"Customers see at most {CUSTOMERS_SEE}.")
    limited_by = serializers.ChoiceField(
        ["vcpus", "memory", "disk", "addresses"], help_text="What the next one would lack."
    )


class PlanCapacityOut(Shape):
    """Room for one plan, or for all that are sold."""

    plan = serializers.CharField(allow_null=True, help_text="The plan that was asked for; null: all that are sold.")
    results = PlanRoomOut(many=True)


class CapacityView(PanelView):
    """``/capacity``."""

    permissions = {"GET": Permission.PLAN_VIEW}

    @extend_schema(
        operation_id="capacity_get",
        summary="Room for plans",
        parameters=[
            parameter("plan", "Only this plan: id or slug. Default: every plan that is sold."),
            parameter("location", "Only here."),
        ],
        responses=PlanCapacityOut,
    )
    def get(self, request: Request) -> Response:
        """How many more servers of each plan fit, by location and host type, from what hosts, pools and networks
        have left. Plans and types share hosts: their numbers do not add up. It is a moment's answer; an order may
        still be refused.
        """
        known_params(request, "plan", "location")
        reference = text_param(request, "plan")
        plans = (
            [selectors.plan_chosen(self.actor, reference)]
            if reference
            else list(selectors.plan_list_for(self.actor).order_by("slug"))
        )
        rooms = capacity_of(plans, location=text_param(request, "location") or "")
        results = [row for plan in plans for row in self._rows(plan, rooms[plan.pk])]
        return Response({"plan": plans[0].slug if reference else None, "results": results})

    def _rows(self, plan: Plan, rooms: Iterable[Room]) -> list[dict[str, Any]]:
        most = None if self.actor.customer_ids is None else CUSTOMERS_SEE
        return [
            {
                "plan": plan.slug,
                "location": room.location,
                "host_type": room.host_type,
                "fits": room.fits if most is None else min(most, room.fits),
                "limited_by": room.limited_by,
            }
            for room in rooms
        ]
