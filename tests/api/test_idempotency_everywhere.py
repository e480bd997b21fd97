"""Every POST of the API honours ``Idempotency-Key``, and its description says so."""

from itertools import count
from typing import Any

import pytest
from django.db import transaction
from rest_framework.response import Response

from panel.core.api.idempotency import ONCE
from tests.api.world import World, world_make
from tests.architecture.routes import Route, api_routes
from tests.client import ApiUser, problem

POSTS = [route for route in api_routes() if "POST" in route.handled]


@pytest.fixture
def world(db) -> World:
    return world_make()


@pytest.mark.parametrize("route", POSTS, ids=lambda route: route.name)
def test_a_repeat_has_no_second_effect(route: Route, world, monkeypatch):
    effects = count(1)
    monkeypatch.setattr(route.view, "post", lambda *_, **__: Response({"effect": next(effects)}, status=201))
    caller, path = world.callers["admin"], route.path(world.objects)
    headers = {"Idempotency-Key": "the same"}
    first, again = (caller.post(path, {"name": "A"}, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()) == (201, {"effect": 1})
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (201, first.content, "true")
    with transaction.atomic():
        problem(caller.post(path, {"name": "B"}, headers=headers), 422, "idempotency_key_reused")
    assert next(effects) == 2


def test_the_description_has_the_header_and_what_a_repeat_looks_like(db):
    described = ApiUser().get("/schema").json()
    posts = {path: methods["post"] for path, methods in described["paths"].items() if "post" in methods}
    assert len(posts) == len(POSTS)
    once = set()
    for path, post in posts.items():
        assert "Idempotency-Key" in [parameter["name"] for parameter in post["parameters"]], path
        answers = {status: answer for status, answer in post["responses"].items() if status.startswith("2")}
        assert answers, path
        for answer in answers.values():
            assert "Idempotent-Replayed" in answer["headers"], path
            once |= _shown_once(described, answer)
    assert once == set(ONCE)


def _shown_once(described: dict[str, Any], answer: dict[str, Any]) -> set[str]:
    """Return the fields of an answer that only the first one shows; each must be described as it is in a repeat."""
    reference = answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    fields = described["components"]["schemas"].get(reference.rsplit("/", 1)[-1], {}).get("properties", {})
    found = {name for name in ONCE if name in fields}
    for name in found:
        assert fields[name].get("nullable") or "null" in fields[name]["type"], (reference, name)
        assert fields[f"{name}_shown"]["type"] == "boolean", (reference, name)
    return found
