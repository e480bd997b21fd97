"""``GET /guests`` at scale: server time, queries, keyset depth, search.

Run: ``python -m bench.guest_list`` with DATABASE_URL naming a database that ``manage.py seed_fleet --hosts 1000
--guests 100000`` has filled. Requests pass Django's whole stack in this process; the network is left out.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db import connection, reset_queries  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from panel.core.actors import SYSTEM  # noqa: E402
from panel.core.garbage import collect_seldom  # noqa: E402
from panel.core.models import ApiClient  # noqa: E402
from panel.core.people.tokens import token_create  # noqa: E402

ROUNDS = 100


def main() -> None:
    """Print one line a measurement."""
    client, _ = ApiClient.objects.get_or_create(name="bench", role="admin")
    token = token_create(actor=SYSTEM, client=client, name="bench", scope="read", expires_at=None)
    browser = Client(headers={"Authorization": f"Bearer {token.value}"}, SERVER_NAME="localhost")

    def get(path: str) -> dict[str, Any]:
        response = browser.get(f"/api/v1{path}")
        assert response.status_code == 200, response.content
        found: dict[str, Any] = response.json()
        return found

    get("/guests?limit=10")
    collect_seldom()  # as every web process does
    for limit in (10, 100):
        with CaptureQueriesContext(connection) as queries:
            get(f"/guests?limit={limit}")
        print(f"limit={limit:<4} queries={len(queries)}")
        reset_queries()
    report("list limit=100", lambda: get("/guests?limit=100"))
    report("list limit=100, only running ones", lambda: get("/guests?limit=100&power_state=running"))
    report("list limit=100, only crashed ones", lambda: get("/guests?limit=100&power_state=crashed"))
    report("search part of a name", lambda: get("/guests?limit=100&search=web-04"))
    first = "/guests?limit=50"
    path = first
    for _ in range(999):
        path = f"/guests?limit=50&cursor={get(path)['next']}"
    shallow, deep = paired(lambda: get(first), lambda: get(path))
    print(
        f"page 1: median {shallow * 1000:.1f} ms, page 1,000: median {deep * 1000:.1f} ms, ratio {deep / shallow:.2f}"
    )


def report(name: str, call: Callable[[], object]) -> None:
    """Print median and 95th percentile of many calls: server time, and the part that this process computed."""
    times, computed = [], []
    for _ in range(ROUNDS):
        began = time.process_time()
        times.append(timed(call))
        computed.append(time.process_time() - began)
    print(f"{name}: {_figures(times)}; without the database: {_figures(computed)}")


def _figures(seconds: list[float]) -> str:
    p95 = sorted(seconds)[int(len(seconds) * 0.95) - 1]
    return f"median {statistics.median(seconds) * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms"


def paired(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Return the medians of two calls made in turn."""
    pairs = [(timed(one), timed(other)) for _ in range(ROUNDS)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def timed(call: Callable[[], object]) -> float:
    """Return the seconds a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
