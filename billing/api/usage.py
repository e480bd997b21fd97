"""HTTP for usage."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.money import hourly_text, monthly_text, totals
from billing.rating import Month, month_of, month_parse
from billing.usage import Line, customers_with_usage, usage_of
from hosts.api.filters import page_of, parameter, sort_parameter
from panel.core.api.paging import page
from panel.core.api.query import text_param, uuid_param
from panel.core.api.schema import PAGING
from panel.core.api.views import PanelView
from panel.core.errors import InvalidInputError
from panel.core.models import Customer
from panel.core.permissions import Permission

Shape = serializers.Serializer[Any]


class AmountOut(Shape):
    """An amount of money."""

    amount = serializers.CharField(help_text="Decimal with two places.")
    currency = serializers.CharField()


class UsageLineOut(Shape):
    """A guest's hours in the month on one plan; a change of plan begins another line."""

    subscription = serializers.UUIDField(allow_null=True, help_text="Null: the guest is on no plan.")
    external_id = serializers.CharField(allow_null=True, help_text="The order's id in your own system.")
    guest = serializers.UUIDField()
    guest_name = serializers.CharField()
    plan = serializers.CharField(allow_null=True, help_text="The plan it was on then.")
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(
        help_text="The end of the month or of the contract, the change of plan, or the moment of asking."
    )
    hours = serializers.IntegerField(help_text="Hours begun. An hour belongs to the plan it began with.")
    price_hourly = serializers.CharField(allow_null=True)
    price_monthly = serializers.CharField(allow_null=True)
    amount = serializers.CharField(allow_null=True, help_text="Hours times price, at most the price a month.")
    currency = serializers.CharField(allow_null=True)


class UsageOut(Shape):
    """What one customer used in one month."""

    customer = serializers.UUIDField()
    customer_name = serializers.CharField()
    customer_external_id = serializers.CharField(allow_null=True)
    month = serializers.CharField()
    lines = UsageLineOut(many=True)
    totals = AmountOut(many=True, help_text="One a currency.")


def line_json(line: Line) -> dict[str, Any]:
    """Return a line of usage."""
    plan = line.plan
    return {
        "subscription": line.subscription.pk if line.subscription else None,
        "external_id": line.subscription.external_id if line.subscription else None,
        "guest": line.guest.pk,
        "guest_name": line.guest.name,
        "plan": plan.slug if plan else None,
        "start": line.start,
        "end": line.end,
        "hours": line.hours,
        "price_hourly": hourly_text(plan.price_hourly) if plan else None,
        "price_monthly": monthly_text(plan.price_monthly) if plan else None,
        "amount": monthly_text(line.amount.amount) if line.amount else None,
        "currency": line.amount.currency if line.amount else None,
    }


def usage_json(customer: Customer, month: Month, lines: list[Line]) -> dict[str, Any]:
    """Return a customer's usage."""
    sums = totals([line.amount for line in lines if line.amount is not None])
    return {
        "customer": customer.pk,
        "customer_name": customer.name,
        "customer_external_id": customer.external_id,
        "month": str(month),
        "lines": [line_json(line) for line in lines],
        "totals": [{"amount": monthly_text(money.amount), "currency": money.currency} for money in sums],
    }


class UsageView(PanelView):
    """``/usage``."""

    permissions = {"GET": Permission.USAGE_VIEW}

    @extend_schema(
        operation_id="usage_list",
        summary="Usage of a month",
        parameters=[
            parameter("month", "As 2026-11, in UTC. Default: the present one."),
            parameter("customer", "Only this customer's.", schema=UUID),
            parameter("guest", "Only this guest's: `totals` is what it costs this month so far.", schema=UUID),
            sort_parameter("created_at", "name", default="name"),
            *PAGING,
        ],
        responses=page_of(UsageOut),
    )
    def get(self, request: Request) -> Response:
        """What each customer used: hours begun of every server, from its order to its termination, times the price
        of the plan it was on, at most the plan's price a month. A change of plan begins a new line and changes none
        before it. A server that could never be built costs nothing; one on no plan has no amount.
        """
        now = timezone.now()
        month = self._month(request) or month_of(now)
        guest_id = uuid_param(request, "guest")
        rows = customers_with_usage(self.actor, month, guest_id=guest_id)
        if (customer := uuid_param(request, "customer")) is not None:
            rows = rows.filter(pk=customer)
        lines: dict[Any, list[Line]] = {}

        def prepare(found: list[Customer]) -> list[Customer]:
            lines.update(usage_of(found, month=month, now=now, guest_id=guest_id))
            return found

        return page(
            request,
            rows,
            show=lambda customer: usage_json(customer, month, lines[customer.pk]),
            sorts={"created_at": "created_at", "name": "name"},
            default="name",
            prepare=prepare,
            filters=("month", "customer", "guest"),
        )

    def _month(self, request: Request) -> Month | None:
        text = text_param(request, "month")
        try:
            return month_parse(text) if text else None
        except ValueError as error:
            raise InvalidInputError(fields={"month": str(error)}) from error
