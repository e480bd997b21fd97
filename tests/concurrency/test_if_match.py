"""Two changes with the same ETag at the same moment: one is made, the other told that it is late."""

from collections import Counter
from typing import Any

import pytest

from tests import factories, stock
from tests.client import ApiUser
from tests.concurrency.http import at_once
from tests.stock import host_make, network_make, plan_make

pytestmark = pytest.mark.django_db(transaction=True)
TIMES = 6


def things() -> dict:
    """Return a path of each kind of object that has an ETag, with a change that each caller makes differently."""
    host = host_make()
    network = network_make(host)
    return {
        f"/guests/{stock.guest_make().pk}": lambda n: {"labels": {"n": str(n)}},
        f"/plans/{plan_make(slug='p').pk}": lambda n: {"name": f"Plan {n}"},
        f"/hosts/{host.pk}": lambda n: {"labels": {"n": str(n)}},
        f"/pools/{host.pools.get().pk}": lambda n: {"overcommit": f"1{n}.0"},
        f"/networks/{network.pk}": lambda n: {"name": f"net {n}"},
        f"/customers/{factories.customer_make().pk}": lambda n: {"name": f"Customer {n}"},
        f"/users/{factories.user_make().pk}": lambda n: {"name": f"User {n}"},
    }


def test_of_changes_with_one_etag_one_is_made():
    token = factories.token_make(factories.staff_make()).value
    for path, change in things().items():
        etag = ApiUser(token).get(path)["ETag"]

        def send(n: int, path: str = path, change: Any = change, etag: str = etag) -> Any:
            return ApiUser(token).patch(path, change(n), headers={"If-Match": etag})

        answers = at_once(TIMES, send)
        assert Counter(a.status_code for a in answers) == {200: 1, 412: TIMES - 1}, path
        (made,) = [a for a in answers if a.status_code == 200]
        assert ApiUser(token).get(path)["ETag"] == made["ETag"] != etag
