"""Arrivals and departures of the last seven days."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import stock
from tests.client import problem

pytestmark = pytest.mark.django_db


def test_the_last_seven_days_oldest_first(operator_api):
    today = timezone.now().date()

    def moment(days_ago: int, hour: int = 0):
        return datetime.combine(today - timedelta(days=days_ago), time(hour), tzinfo=UTC)

    stock.guest_make(created_at=moment(7, 23), deleted_at=moment(6))
    stock.guest_make(created_at=moment(6), lifecycle="deleted", deleted_at=moment(2, 23))
    stock.guest_make(created_at=moment(2), lifecycle="deleted", deleted_at=moment(2, 1))
    stock.guest_make(created_at=moment(0))
    days = operator_api.get("/fleet/week").json()["days"]
    assert [day["date"] for day in days] == [str(today - timedelta(days=n)) for n in range(6, -1, -1)]
    assert [day["arrived"] for day in days] == [1, 0, 0, 0, 1, 0, 1]
    assert [day["departed"] for day in days] == [1, 0, 0, 0, 2, 0, 0]


def test_it_costs_the_same_for_any_number(operator_api):
    operator_api.get("/fleet/week")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            operator_api.get("/fleet/week")
        return len(seen)

    before = queries()
    for _ in range(3):
        stock.guest_make()
    assert queries() == before


def test_it_is_for_staff(owner_api, billing_api, operator_api):
    problem(owner_api.get("/fleet/week"), 403, "permission_denied")
    problem(billing_api.get("/fleet/week"), 403, "permission_denied")
    problem(operator_api.get("/fleet/week", days=3), 400, "invalid_input", "days")
