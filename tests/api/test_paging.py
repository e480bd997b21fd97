"""Keyset paging: complete, bound to its list, sort and filters, refusing what it cannot read."""

import pytest

from panel.core.models import Customer
from tests import factories
from tests.client import problem

pytestmark = pytest.mark.django_db


def walk(api, path: str, **query) -> list[str]:
    """Return the ids of all rows, page by page."""
    found, cursor = [], None
    while True:
        body = api.get(path, cursor=cursor, **query).json()
        assert set(body) == {"results", "next"}
        found += [row["id"] for row in body["results"]]
        cursor = body["next"]
        if cursor is None:
            return found


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "name", "-name"])
def test_pages_together_are_the_whole_list_once_in_order(admin_api, sort):
    for number in range(11):
        factories.customer_make(name=f"Same {number % 3}")  # equal names, and equal times within a transaction
    field = sort.lstrip("-")
    down = "-" if sort.startswith("-") else ""
    expected = [str(pk) for pk in Customer.objects.order_by(sort, f"{down}id").values_list("pk", flat=True)]
    assert walk(admin_api, "/customers", sort=sort, limit=2) == expected
    assert field in ("created_at", "name")


def test_rows_made_or_gone_between_pages_repeat_and_lose_nothing_else(admin_api):
    rows = [factories.customer_make(name=f"c{number}") for number in range(6)]
    first = admin_api.get("/customers", sort="name", limit=3).json()
    factories.customer_make(name="c0 again")  # before the cursor: not seen
    Customer.objects.filter(pk=rows[2].pk).delete()  # the row the cursor was made from
    rest = admin_api.get("/customers", sort="name", limit=3, cursor=first["next"]).json()
    assert [row["name"] for row in rest["results"]] == ["c3", "c4", "c5"]
    assert rest["next"] is None


def test_a_cursor_is_bound_to_list_sort_and_filter(admin_api):
    for _ in range(3):
        factories.customer_make(name="A")
    cursor = admin_api.get("/customers", limit=1, search="A", sort="name").json()["next"]
    assert admin_api.get("/customers", limit=2, search="A", sort="name", cursor=cursor).status_code == 200
    for path, query in (
        ("/customers", {"sort": "name"}),
        ("/customers", {"sort": "name", "search": "B"}),
        ("/customers", {"sort": "-name", "search": "A"}),
        ("/customers", {"search": "A"}),
        ("/users", {}),
    ):
        problem(admin_api.get(path, cursor=cursor, **query), 400, "cursor_mismatch", "cursor")
    for wrong in (cursor[:-1], "x", "a:b:c"):
        problem(admin_api.get("/customers", search="A", sort="name", cursor=wrong), 400, "cursor_mismatch", "cursor")


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "1.5", "٣"])
def test_a_bad_limit_is_named(admin_api, limit):
    problem(admin_api.get("/customers", limit=limit), 400, "invalid_input", "limit")


@pytest.mark.parametrize("sort", ["used_guests", "--name", "-", "id"])
def test_only_indexed_sorts(admin_api, sort):
    problem(admin_api.get("/customers", sort=sort), 400, "invalid_input", "sort")


def test_limit_bounds(admin_api):
    assert admin_api.get("/customers", limit=1000).status_code == 200
    for _ in range(51):
        factories.customer_make()
    assert len(admin_api.get("/customers").json()["results"]) == 50


@pytest.mark.parametrize("path", ["/customers", "/users", "/jobs", "/audit", "/tokens", "/ssh-keys"])
def test_lists_make_the_same_number_of_queries_at_any_length(admin_api, customer, path, django_assert_max_num_queries):
    for _ in range(5):
        owner = factories.member_make(customer, "owner")
        factories.token_make(owner)
        factories.job_make(customer=customer, actor_user=owner)
    admin_api.get(path)  # notes the token's use
    with django_assert_max_num_queries(8):
        few = admin_api.get(path, limit=1)
    with django_assert_max_num_queries(8) as many:
        assert admin_api.get(path, limit=100).status_code == few.status_code == 200
    assert len(many) <= 8
