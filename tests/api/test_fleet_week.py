"""Arrivals and departures of the last seven days."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from tests import stock
from tests.client import problem, queries_of

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

    def get() -> None:
        assert operator_api.get("/fleet/week").status_code == 200

    get()
    before = queries_of(get)
    for _ in range(3):
        stock.guest_make()
    assert queries_of(get) == before


def test_it_is_for_staff(owner_api, billing_api, operator_api):
    problem(owner_api.get("/fleet/week"), 403, "permission_denied")
    problem(billing_api.get("/fleet/week"), 403, "permission_denied")
    problem(operator_api.get("/fleet/week", days=3), 400, "invalid_input", "days")
