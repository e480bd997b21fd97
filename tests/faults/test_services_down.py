"""Redis away, PostgreSQL away, a worker killed: nothing accepted is lost, and nothing lies meanwhile."""

import http.client
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar

from hosts.drivers.simulated import FaultKind
from lab.client import Answer
from lab.server import wait_until
from lab.stores import Postgres, Redis
from tests.faults.conftest import HOST, Installation


def page(installation: Installation, path: str) -> Answer:
    """Get a page as a browser does."""
    connection = http.client.HTTPConnection("127.0.0.1", installation.panel.port, timeout=30)
    # Somebody who is signed in, as far as the panel can tell without asking the database.
    headers = {"Accept": "text/html", "Cookie": "innkeeper_session=0123456789abcdef0123456789abcdef"}
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, response.read().decode())


@contextmanager
def stopped(store: Postgres | Redis) -> Iterator[None]:
    """Stop a store for the time of a block, whatever happens in it."""
    store.stop()
    try:
        yield
    finally:
        store.start()


def test_without_redis_requests_are_accepted_and_run(installation):
    with stopped(installation.panel.redis):
        began = time.monotonic()
        accepted = installation.order("without-redis")
        assert time.monotonic() - began < 5
        deadline = time.monotonic() + 90
        while installation.admin.get(f"/jobs/{accepted['job']['id']}")["status"] in ("queued", "running"):
            assert time.monotonic() < deadline, "nobody ran it while Redis was away"
            time.sleep(0.5)
        shown = installation.admin.get(f"/guests/{accepted['guest']['id']}")
        assert (shown["lifecycle"], shown["power_state"]) == ("active", "running")


def test_a_redis_that_answers_nothing_holds_nobody_up(installation):
    order, bulk = installation.order, {"guests": [installation.order(f"bulk-{n}")["guest"]["id"] for n in range(6)]}
    wait_until(lambda: not installation.inside.findings()["not final"], "all run")
    with installation.panel.redis.frozen():
        slowest, accepted = 0.0, []
        for number in range(6):
            began = time.monotonic()
            accepted.append(order(f"frozen-{number}"))
            slowest = max(slowest, time.monotonic() - began)
        began = time.monotonic()
        accepted.append(installation.admin.post("/guests/actions/reset", bulk))
        slowest = max(slowest, time.monotonic() - began)
        assert slowest < 5
        began = time.monotonic()
        for _ in range(10):
            assert installation.admin.get("/guests")["results"]
        assert time.monotonic() - began < 10
    for one in accepted:
        installation.admin.done(one, timeout_s=90)


def test_without_redis_people_sign_in_and_stay_signed_in(installation):
    with stopped(installation.panel.redis):
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies := CookieJar()))
        sign_in = f"{installation.panel.url}/accounts/login/"
        browser.open(sign_in, timeout=30).close()
        form = {
            "login": installation.panel.admin_email,
            "password": installation.panel.admin_password,
            "csrfmiddlewaretoken": next(str(one.value) for one in cookies if one.name == "csrftoken"),
        }
        began = time.monotonic()
        with browser.open(sign_in, data=urllib.parse.urlencode(form).encode(), timeout=30) as shown:
            assert (shown.status, shown.url) == (200, f"{installation.panel.url}/overview")
        assert time.monotonic() - began < 5
    installation.panel.redis.command("FLUSHALL")
    with browser.open(f"{installation.panel.url}/api/v1/me", timeout=30) as me:
        assert json.loads(me.read())["email"] == installation.panel.admin_email


def test_a_flushed_redis_loses_nothing_that_was_accepted(installation, job_when):
    installation.host.set_fault(HOST, "domain_start", FaultKind.PAUSE, times=4, seconds=2)
    accepted = [installation.order(f"flushed-{number}") for number in range(6)]
    for _ in range(5):
        installation.panel.redis.command("FLUSHALL")
        time.sleep(0.3)
    for one in accepted:
        installation.admin.done(one, timeout_s=90)
    installation.host.clear_faults(HOST)


def test_without_postgresql_it_says_so_and_recovers_by_itself(installation):
    with stopped(installation.panel.postgres):
        answer = installation.admin.call("GET", "/guests")
        assert (answer.status, answer.body["code"]) == (503, "database_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["content-type"] == "application/problem+json"
        refused = installation.admin.call("POST", "/guests", {"name": "nowhere"})
        assert (refused.status, refused.body["code"]) == (503, "database_unavailable")
        shown = page(installation, "/")
        assert shown.status == 503
        assert int(shown.headers["retry-after"]) > 0
        assert "<html" in shown.body
        assert "database" in shown.body.lower()
        assert page(installation, "/healthz").status == 200
        assert page(installation, "/readyz").status == 503
        time.sleep(3)  # workers and collectors meet the missing database too
    wait_until(lambda: installation.admin.call("GET", "/guests").status == 200, "recovery", timeout_s=20)
    installation.admin.done(installation.order("after-postgresql"), timeout_s=60)
    assert all(process.is_alive for process in installation.panel.processes.values())


def test_a_killed_worker_s_job_is_finished_by_another(installation, job_when):
    installation.host.clear_calls()
    installation.host.set_fault(HOST, "domain_start", FaultKind.PAUSE, times=1, seconds=20)
    accepted = installation.order("orphan")
    guest_id, job_id = accepted["guest"]["id"], accepted["job"]["id"]
    wait_until(lambda: installation.host.calls(host=HOST, call="domain_start"), "the worker starts the guest")
    first = installation.admin.get(f"/jobs/{job_id}")
    assert (first["status"], first["attempt"]) == ("running", 1)

    for number in (1, 2):  # which of them has it is nobody's business
        installation.panel.processes[f"worker{number}"].kill()
    for number in (1, 2):
        installation.panel.start_worker(number)
    job = installation.admin.done(accepted, timeout_s=90)
    assert job["attempt"] >= 2
    guest = installation.admin.get(f"/guests/{guest_id}")
    assert (guest["lifecycle"], guest["power_state"]) == ("active", "running")
    domains = [domain for domain in installation.host.dump_host(HOST).domains if str(domain) == guest_id]
    assert len(domains) == 1


def test_two_of_each_share_the_work(installation):
    accepted = [installation.order(f"shared-{number}") for number in range(8)]
    jobs = [installation.admin.done(one, timeout_s=120) for one in accepted]
    assert [job["attempt"] for job in jobs] == [1] * 8
    for one in accepted:
        installation.admin.done(installation.admin.delete(f"/guests/{one['guest']['id']}"), timeout_s=120)
