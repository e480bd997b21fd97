"""Messages that nobody of ours sent, or sent again: nothing happens, and the workers live."""

import json
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery

from hosts.drivers.simulated import FaultKind
from lab.server import wait_until
from panel.core.jobs import JOB_TASK
from tests.faults.conftest import HOST, Installation

QUEUES = ("jobs", "builder")
_OF_JOBS = ("id", "name", "lifecycle", "power_state", "power_wanted", "active_job", "vcpus", "memory_mib", "disk_gib")


@pytest.fixture
def forger(installation: Installation) -> Iterator[Celery]:
    """Somebody who can write to Redis."""
    url = f"redis+socket://{installation.panel.redis.socket}?virtual_host=0"
    app = Celery("forger", broker=url, set_as_current=False)
    yield app
    app.close()


@pytest.fixture(autouse=True)
def lives(installation: Installation) -> Iterator[None]:
    """Afterwards all queues are empty, the same processes live, and they still work."""
    pids = {name: process.pid for name, process in installation.panel.processes.items()}
    yield
    wait_until(lambda: taken(installation), "all messages are taken", timeout_s=20)
    installation.admin.done(installation.order(f"after-{uuid.uuid4().hex[:8]}"), timeout_s=60)
    assert {name: process.pid for name, process in installation.panel.processes.items() if process.is_alive} == pids


def taken(installation: Installation) -> bool:
    return all(installation.panel.redis.command("LLEN", queue).strip() == "0" for queue in QUEUES)


def state(installation: Installation) -> Any:
    """Return all jobs, and what only jobs change of guests, as the API shows them."""
    jobs = installation.admin.get("/jobs", limit=200)["results"]
    guests = installation.admin.get("/guests", limit=200)["results"]
    return jobs, [{name: guest[name] for name in _OF_JOBS} for guest in guests]


GARBAGE: list[tuple[list[Any], dict[str, Any]]] = [
    ([], {}),
    (["not an id"], {}),
    ([str(uuid.uuid4())], {}),
    ([7], {}),
    ([None], {}),
    ([["x"]], {}),
    ([{"job_id": "x"}], {}),
    (["../../etc/passwd"], {}),
    (["' OR 1=1; --"], {}),
    (["\x00"], {}),
    (["a", "b", "c"], {}),
    ([], {"job_id": "x"}),
    ([str(uuid.uuid4())], {"queues": ["builder"]}),
]
NAMES = ["os.system", "panel.core.tasks.run", "core.job_claim", "celery.backend_cleanup", "", "core.job_run\n"]


def test_garbage_in_a_message_does_nothing(installation, forger):
    installation.admin.done(installation.order(f"quiet-{uuid.uuid4().hex[:8]}"))
    before = state(installation)
    for queue in QUEUES:
        for args, kwargs in GARBAGE:
            forger.send_task(JOB_TASK, args=args, kwargs=kwargs, queue=queue)
        for name in NAMES:
            forger.send_task(name, args=["touch /forged"], queue=queue)
        forger.send_task("celery.map", args=[{"task": JOB_TASK}, ["x"]], queue=queue)
    wait_until(lambda: taken(installation), "all messages are taken")
    assert state(installation) == before


def test_what_is_no_message_at_all_does_nothing(installation):
    for text in ("garbage", "{}", "[]", "null", "[" * 20_000, '{"body": "e30=", "headers": {}, "properties": {}}'):
        for queue in QUEUES:
            installation.panel.redis.command("LPUSH", queue, text)


def test_a_message_in_a_format_that_runs_code_is_refused(installation, forger, tmp_path):
    mark = tmp_path / "forged"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(mark), "w"))

    forger.send_task(JOB_TASK, args=[Bomb()], queue="jobs", serializer="pickle")
    wait_until(lambda: taken(installation), "it is taken")
    assert not mark.exists()


def test_the_id_of_a_job_that_ended_does_nothing(installation, forger):
    job = installation.admin.done(installation.order(f"final-{uuid.uuid4().hex[:8]}"))
    before = installation.host.calls(host=HOST, call="domain_start")
    for _ in range(20):
        forger.send_task(JOB_TASK, args=[job["id"]], queue="jobs")
    wait_until(lambda: taken(installation), "all messages are taken")
    assert installation.admin.get(f"/jobs/{job['id']}") == job
    assert installation.host.calls(host=HOST, call="domain_start") == before


def test_the_id_of_a_job_that_runs_or_waits_does_nothing(installation, forger):
    accepted = installation.order(f"busy-{uuid.uuid4().hex[:8]}")
    installation.admin.done(accepted)
    path = f"/guests/{accepted['guest']['id']}"
    installation.host.set_fault(HOST, "domain_destroy", FaultKind.PAUSE, seconds=4)
    running = installation.admin.post(f"{path}/actions/stop")["job"]["id"]
    waiting = installation.admin.delete(path)["job"]["id"]
    wait_until(lambda: installation.admin.get(f"/jobs/{running}")["status"] == "running", "it runs", poll_s=0.05)
    for job_id in [running, waiting] * 10:
        forger.send_task(JOB_TASK, args=[job_id], queue="jobs")
    wait_until(lambda: taken(installation), "all messages are taken")
    seen = installation.admin.get(f"/jobs/{waiting}")
    assert (seen["status"], seen["attempt"]) == ("queued", 0)
    ended = [installation.admin.job(job_id) for job_id in (running, waiting)]
    assert [job["attempt"] for job in ended] == [1, 1]
    assert ended[1]["status"] == "success"


def test_a_job_of_the_builder_is_not_run_by_a_worker(installation, forger):
    """The builder is stopped, so that a job for it stays where it is."""
    installation.panel.processes["builder"].send(signal.SIGSTOP)
    try:
        said = installation.panel.manage("starter_images", "micro").split()
        job_id = next(word for word in reversed(said) if len(word) == 36)
        for _ in range(10):
            forger.send_task(JOB_TASK, args=[job_id], queue="jobs")
        wait_until(lambda: installation.panel.redis.command("LLEN", "jobs").strip() == "0", "all are taken")
        installation.admin.done(installation.order(f"later-{uuid.uuid4().hex[:8]}"), timeout_s=60)
        job = installation.admin.get(f"/jobs/{job_id}")
        assert (job["status"], job["attempt"]) == ("queued", 0)
        installation.admin.post(f"/jobs/{job_id}/actions/cancel")
    finally:
        installation.panel.processes["builder"].send(signal.SIGCONT)


def test_nobody_stops_a_worker_by_a_message(installation, forger):
    forger.control.shutdown()
    forger.control.broadcast("pool_shrink", arguments={"n": 3})
    body = json.dumps({"method": "shutdown", "arguments": {}})
    installation.panel.redis.command("PUBLISH", "/0.celery.pidbox", body)
