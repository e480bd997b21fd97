"""Services die in the middle of a hundred jobs: none that was accepted is lost, none is doubled, all end."""

import http.client
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest

from lab.client import Answer, Api
from lab.processes import free_port
from lab.server import wait_until
from tests.faults.conftest import Installation, installed, order_body

JOBS = 100
HOSTS = tuple(f"simulated-{number}" for number in range(4))
ACCEPT_WITHIN_S = 60
FINAL_WITHIN_S = 120
REDIS_AWAY_S = 20


@pytest.fixture(scope="module")
def second_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def site(second_port: int) -> Iterator[Installation]:
    """Two of each process, on four hosts that have room for all."""
    with installed(hosts=HOSTS, cpus=64) as site:
        site.panel.start_web(second_port=second_port)
        site.host.set_latency("domain_start", 0.5)
        site.host.set_latency("domain_undefine", 0.3)
        yield site


class Crowd:
    """A hundred requests at once, half to create servers and half to delete older ones; each is repeated until it is
    accepted, as a billing system would, under its own Idempotency-Key.
    """

    def __init__(self, site: Installation, second_port: int) -> None:
        self.living: dict[str, str] = {}  # ids by name
        self.refused: list[Answer] = []
        self.slowest_s = 0.0
        self._doors = cycle([site.admin, replace(site.admin, port=second_port)])
        self._round = 0

    def begin(self, threads: ThreadPoolExecutor, *, creates: int = JOBS // 2) -> list[Any]:
        """Send them; returns what will be the accepted answers."""
        self._round += 1
        leaving = list(self.living.items())[: JOBS - creates]
        for name, _ in leaving:
            del self.living[name]
        sent = [threads.submit(self._delete, guest) for _, guest in leaving]
        return sent + [threads.submit(self._create, f"web-{self._round}-{n}") for n in range(JOBS - len(leaving))]

    def _create(self, name: str) -> str:
        accepted = self._until_accepted("POST", "/guests", order_body(name))
        self.living[name] = accepted["guest"]["id"]
        return str(accepted["job"]["id"])

    def _delete(self, guest: str) -> str:
        return str(self._until_accepted("DELETE", f"/guests/{guest}", None)["job"]["id"])

    def _until_accepted(self, method: str, path: str, body: Any) -> dict[str, Any]:
        key, deadline = str(uuid.uuid4()), time.monotonic() + ACCEPT_WITHIN_S
        while True:
            answer = self._send(next(self._doors), method, path, body, key)
            if answer is not None and answer.status == 202:
                accepted: dict[str, Any] = answer.body
                return accepted
            if answer is not None:
                self.refused.append(answer)
            assert time.monotonic() < deadline, answer
            time.sleep(0.3)

    def _send(self, api: Api, method: str, path: str, body: Any, key: str) -> Answer | None:
        began = time.monotonic()
        try:
            return api.call(method, path, body, headers={"Idempotency-Key": key})
        except (OSError, http.client.HTTPException):
            return None  # nobody is there now
        finally:
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)


@pytest.fixture(scope="module")
def crowd(site: Installation, second_port: int) -> Crowd:
    crowd = Crowd(site, second_port)
    with ThreadPoolExecutor(8) as threads:
        jobs = [one.result() for one in crowd.begin(threads, creates=JOBS)]
    settled(site, crowd, jobs)
    return crowd


@pytest.fixture(autouse=True)
def nothing_recorded(crowd: Crowd) -> None:
    crowd.refused.clear()
    crowd.slowest_s = 0.0


def settled(site: Installation, crowd: Crowd, job_ids: list[str]) -> None:
    """Wait for the end of all jobs; nothing may be lost, doubled or left."""
    assert len(job_ids) == len(set(job_ids)) == JOBS
    deadline = time.monotonic() + FINAL_WITHIN_S
    while left := site.inside.findings()["not final"]:
        assert time.monotonic() < deadline, f"not final: {left}"
        time.sleep(0.5)
    found = site.inside.findings(*job_ids)
    assert {job["status"] for job in found["jobs"].values()} == {"success"}, found["jobs"]
    assert found["leaks"] == {}
    assert found["guests"] == sorted(crowd.living)
    assert found["domains"] == found["addresses"] == len(crowd.living)


def amid(site: Installation, crowd: Crowd, disaster: Callable[[], None], *, at: int = 30) -> None:
    """Let a disaster come when ``at`` jobs have ended and all others are under way; then count."""
    before = site.inside.findings()["final"]
    with ThreadPoolExecutor(8) as threads:
        sent = crowd.begin(threads)
        wait_until(lambda: site.inside.findings()["final"] >= before + at, "jobs end", timeout_s=60, poll_s=0.1)
        assert len(site.inside.findings()["not final"]) > 0
        disaster()
        jobs = [one.result() for one in sent]
    settled(site, crowd, jobs)
    alive = {name for name, process in site.panel.processes.items() if process.is_alive}
    assert alive == {"web", "web2", "builder", "worker1", "worker2", "collector1", "collector2"}
    wait_until(site.listening, "both workers and the builder listen", timeout_s=10, poll_s=0.1)


def test_redis_flushed(site, crowd):
    def flush() -> None:
        for _ in range(5):
            site.panel.redis.command("FLUSHALL")
            time.sleep(0.5)

    amid(site, crowd, flush)
    assert crowd.refused == []


def test_redis_stopped_for_20_seconds(site, crowd):
    def away() -> None:
        site.panel.redis.stop()
        time.sleep(REDIS_AWAY_S)
        site.panel.redis.start()

    amid(site, crowd, away, at=1)
    assert crowd.refused == []
    assert crowd.slowest_s < 5


@pytest.mark.parametrize("immediate", [False, True], ids=["fast", "immediate"])
def test_postgresql_restarted(site, crowd, immediate):
    amid(site, crowd, lambda: site.panel.postgres.restart(immediate=immediate))
    assert {answer.status for answer in crowd.refused} <= {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in crowd.refused)


def test_the_whole_panel_killed(site, crowd, second_port):
    def kill() -> None:
        site.panel.kill()
        site.panel.redis.kill()
        site.panel.redis.start()
        site.panel.start()
        site.panel.start_web(second_port=second_port)

    amid(site, crowd, kill)
