"""200 event streams and 200 waiting requests on one web process, with a database that has 40 connections."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.panel import LabPanel, panel_lent
from lab.stores import Postgres
from tests.concurrency.http import Opened, answer, request

CROWD = 200
MAX_CONNECTIONS = 40
LISTS = ("/jobs", "/guests", "/customers", "/subscriptions", "/ssh-keys", "/me")
# Makes jobs that no worker runs, says what the test needs to know, and ends them when it is told to.
HELPER = """
import json, sys
from django.db import transaction
from panel.core import events
from tests import factories
customer = factories.customer_make()
jobs = [factories.job_make(customer=customer) for _ in range(3)]
token = factories.token_make(factories.member_make(customer)).value
print(json.dumps({"token": token, "jobs": [str(job.pk) for job in jobs]}), flush=True)
sys.stdin.readline()
for job in jobs:
    with transaction.atomic():
        type(job).objects.filter(pk=job.pk).update(status="success", finished_at=job.created_at)
        events.publish("job", job.pk, customer_id=customer.pk, final=True)
"""


@pytest.fixture
def panel() -> Iterator[LabPanel]:
    """The stores and the web process alone, with the settings of production."""
    settings = {"API_RATE_LIMIT_PER_MINUTE": "100000", "WEB_DB_WAIT_S": "60"}
    with panel_lent(settings=settings, max_connections=MAX_CONNECTIONS) as panel:
        panel.prepare_stores()
        panel.start_web()
        yield panel


@dataclass(frozen=True)
class Helper:
    """What the program beside the panel made."""

    process: "subprocess.Popen[str]"
    token: str
    jobs: list[str]

    def finish_jobs(self) -> None:
        """End the jobs as their worker would, and tell those who wait."""
        self.process.communicate("now\n", timeout=60)
        assert self.process.returncode == 0


@pytest.fixture
def helper(panel: LabPanel) -> Iterator[Helper]:
    process = subprocess.Popen(
        [panel.python, "manage.py", "shell", "--no-imports", "-c", HELPER],
        env=panel.environment,
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        yield Helper(process, **json.loads(process.stdout.readline()))
        process.kill()


class Watch(threading.Thread):
    """Counts the database's clients, again and again, and keeps the largest number."""

    def __init__(self, postgres: Postgres) -> None:
        super().__init__()
        self._postgres = postgres
        self._over = threading.Event()
        self.counted: list[int] = []

    def run(self) -> None:
        while not self._over.wait(0.2):
            self.counted.append(self._postgres.clients())

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


async def lists_answer(port: int, token: str) -> float:
    """Ask for every list, one after the other. Returns the median of the seconds each took."""
    took = []
    for path in LISTS * 3:
        began = time.monotonic()
        status, _ = await answer(port, path, token)
        took.append(time.monotonic() - began)
        assert status == 200, path
    return sorted(took)[len(took) // 2]


async def open_streams(port: int, token: str) -> list[Opened]:
    streams = await asyncio.gather(*(request(port, "/events", token) for _ in range(CROWD)))
    assert [stream.status for stream in streams] == [200] * CROWD
    for stream in streams:
        assert b": connected" in await stream.chunk()
    return streams


async def hear_of(stream: Opened, jobs: list[str]) -> None:
    """Read a stream until it has told of every job."""
    seen = b""
    while not all(job.encode() in seen for job in jobs):
        part = await stream.chunk()
        assert part, "a stream ended"
        seen += part


@pytest.mark.timeout(300)
def test_200_streams_and_200_waits_leave_40_connections_and_the_lists_alone(panel: LabPanel, helper: Helper):
    port, token, jobs = panel.port, helper.token, helper.jobs

    async def scenario() -> None:
        alone = await lists_answer(port, token)
        streams = await open_streams(port, token)
        # A waiting request answers at its end only: it is a task until then.
        waits = [asyncio.create_task(answer(port, f"/jobs/{jobs[n % 3]}?wait=25", token)) for n in range(CROWD)]
        crowded = await lists_answer(port, token)
        assert [task for task in waits if task.done()] == []
        assert crowded < 10 * alone + 1  # generous: the crowd's first requests are answered meanwhile
        assert await lists_answer(port, token) < 5 * alone + 0.5

        await asyncio.to_thread(helper.finish_jobs)
        async with asyncio.timeout(60):
            answers = await asyncio.gather(*waits)
            await asyncio.gather(*(hear_of(stream, jobs) for stream in streams))
        assert {(status, body["status"]) for status, body in answers} == {(200, "success")}
        for stream in streams:
            stream.close()

    with Watch(panel.postgres) as watch:
        asyncio.run(scenario())
    # The web process has 16 slots, and the helper a connection of its own.
    assert 2 <= max(watch.counted) <= 18
    assert "too many clients" not in panel.postgres.log.read_text()
    assert " 500 " not in (panel.logs / "web.log").read_text()
