"""Rate limits: counted per client, for refused callers per address, told in headers, open without their store."""

import pytest
import redis
from django.test import Client

from panel.core import doorbell
from panel.core.api import throttling
from tests import factories
from tests.client import ApiUser, problem

pytestmark = pytest.mark.django_db


def from_address(address: str, token: str | None = None) -> ApiUser:
    return ApiUser(token, browser=Client(REMOTE_ADDR=address))


def remaining(response) -> tuple[int, int]:
    assert 0 < int(response["RateLimit-Reset"]) <= throttling.WINDOW_S
    return int(response["RateLimit-Limit"]), int(response["RateLimit-Remaining"])


@pytest.fixture(autouse=True)
def _one_window(monkeypatch):
    """All of a test is in one minute, and no other test's."""
    minute = factories.number() * throttling.WINDOW_S + 1
    monkeypatch.setattr(throttling.time, "time", lambda: minute)


def test_a_client_is_told_what_is_left_and_then_to_wait(settings, viewer_api):
    settings.API_RATE_LIMIT_PER_MINUTE = 3
    assert [remaining(viewer_api.get("/me")) for _ in range(3)] == [(3, 2), (3, 1), (3, 0)]
    refused = viewer_api.get("/me")
    problem(refused, 429, "rate_limited")
    assert (remaining(refused), refused["Retry-After"]) == ((3, 0), "60")


def test_who_lacks_the_right_is_counted_and_told_too(settings, viewer_api, anonymous):
    settings.API_RATE_LIMIT_PER_MINUTE = 2
    refused = viewer_api.get("/hosts")
    problem(refused, 403, "permission_denied")
    assert remaining(refused) == (2, 1)
    problem(viewer_api.get("/hosts"), 403, "permission_denied")
    problem(viewer_api.get("/hosts"), 429, "rate_limited")
    refused = anonymous.get("/me")
    problem(refused, 401, "not_authenticated")
    assert remaining(refused) == (2, 1)


def test_refused_tokens_are_throttled_per_address_and_valid_ones_beside_them_are_not(settings, customer):
    settings.API_REFUSED_LIMIT_PER_MINUTE = 2
    token = factories.token_make(factories.member_make(customer)).value
    for wrong in ("x" * 64, "short"):
        refused = from_address("198.51.100.7", wrong).get("/me")
        problem(refused, 401, "not_authenticated")
        assert refused["WWW-Authenticate"].startswith("Bearer")
    assert remaining(refused) == (2, 0)
    refused = from_address("198.51.100.7", "x" * 64).get("/me")
    problem(refused, 429, "rate_limited")
    assert refused["Retry-After"] == "60"
    assert from_address("198.51.100.7", token).get("/me").status_code == 200
    problem(from_address("198.51.100.8", "x" * 64).get("/me"), 401, "not_authenticated")


def test_without_the_counters_everybody_gets_their_answer(settings, monkeypatch, viewer_api):
    settings.API_RATE_LIMIT_PER_MINUTE = settings.API_REFUSED_LIMIT_PER_MINUTE = 0

    def away():
        raise redis.ConnectionError("away")

    monkeypatch.setattr(doorbell, "redis_client", away)
    monkeypatch.setattr(doorbell, "_is_away", False)
    answer = viewer_api.get("/me")
    assert (answer.status_code, answer.has_header("RateLimit-Limit")) == (200, False)
    problem(ApiUser("x" * 64).get("/me"), 401, "not_authenticated")
