"""Real Celery workers that die at a checkpoint, or wake up too late: another one finishes, and nothing is left."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hosts.drivers.simulated import FaultKind
from lab.client import FINAL
from lab.processes import free_port
from lab.server import wait_until
from tests.faults.conftest import HOST, Installation, installed
from tests.faults.cutting import FOLDER, HOOK, Cut, cut_made, cut_ordered

FINAL_WITHIN_S = 60
# What collectors ask of a host; everything else is asked by a job.
WATCHING = {"boot_id", "domain_list", "load", "pool_info", "console_output", "facts"}
_HASTY = {"JOB_LEASE_S": "2", "JOB_RENEW_S": "0.5", "JOB_SWEEP_S": "0.5", "JOB_RESEND_S": "1"}

CUTS = [
    ("guest.create", "ensure_image", "after", Cut.CHILD),
    ("guest.create", "ensure_disk", "before", Cut.WORKER),
    ("guest.create", "ensure_disk", "after", Cut.CHILD),
    ("guest.create", "ensure_started", "after", Cut.WORKER),
    ("guest.create", "close", "before", Cut.CHILD),
    ("guest.delete", "ensure_undefined", "before", Cut.WORKER),
    ("guest.delete", "ensure_volumes_gone", "after", Cut.CHILD),
    ("guest.delete", "close", "after", Cut.CHILD),
    ("guest.start", "ensure_started", "after", Cut.CHILD),
    ("guest.stop", "ensure_stopped", "before", Cut.WORKER),
    ("guest.rebuild", "ensure_old_gone", "after", Cut.WORKER),
    ("guest.resize", "ensure_disk_size", "after", Cut.CHILD),
]


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the workers find what to cut."""
    return tmp_path_factory.mktemp("cut")


@pytest.fixture(scope="module")
def site(orders: Path) -> Iterator[Installation]:
    """A panel whose workers can be cut; two of each process, web too."""
    with installed(settings={"CHECKPOINT_HOOK": HOOK, FOLDER: str(orders), **_HASTY}) as site:
        site.panel.start_web(second_port=free_port())
        yield site


@pytest.fixture(autouse=True)
def all_alive(site: Installation) -> Iterator[None]:
    """Put killed workers back; nothing else may have ended."""
    yield
    for number in (1, 2):
        if not site.panel.processes[f"worker{number}"].is_alive:
            site.panel.start_worker(number)
    assert [name for name, process in site.panel.processes.items() if not process.is_alive] == []


@pytest.fixture(scope="module")
def ask(site: Installation) -> Callable[[str], dict[str, Any]]:
    """Ask for an action on a new guest; what it needs before is done first. Returns what the API answered."""
    count = 0

    def order() -> dict[str, Any]:
        nonlocal count
        count += 1
        return site.order(f"web-{count}")

    def made() -> str:
        accepted = order()
        site.admin.done(accepted, timeout_s=FINAL_WITHIN_S)
        return f"/guests/{accepted['guest']['id']}"

    def off() -> str:
        path = made()
        site.admin.done(site.admin.post(f"{path}/actions/stop"))
        return path

    def act(path: str, verb: str, **body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = site.admin.post(f"{path}/actions/{verb}", body)
        return answer

    asking: dict[str, Callable[[], dict[str, Any]]] = {
        "guest.create": order,
        "guest.delete": lambda: site.admin.delete(made()),
        "guest.start": lambda: act(off(), "start"),
        "guest.stop": lambda: act(made(), "stop"),
        "guest.rebuild": lambda: act(made(), "rebuild"),
        "guest.resize": lambda: act(off(), "resize", vcpus=1, memory_mib=256, disk_gib=2),
    }
    return lambda action: asking[action]()


@pytest.fixture(scope="module")
def undisturbed(site: Installation, ask: Callable[[str], dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    """Return how an action ends when nobody is killed; found out once."""
    known: dict[str, dict[str, Any]] = {}

    def find(action: str) -> dict[str, Any]:
        if action not in known:
            job_id = site.admin.done(ask(action))["id"]
            known[action] = site.inside.findings(job_id)["jobs"][job_id]
        return known[action]

    return find


def cut(orders: Path, ask: Callable[[str], dict[str, Any]], place: tuple[str, str, str, Cut]) -> tuple[str, int]:
    """Have an action cut; return its job's id and the id of the process that was cut."""
    action, name, side, how = place
    cut_ordered(orders, action=action, name=name, side=side, cut=how)
    job_id = ask(action)["job"]["id"]
    return job_id, cut_made(orders)


@pytest.mark.parametrize("place", CUTS, ids=[" ".join(place) for place in CUTS])
def test_another_worker_finishes_what_a_killed_one_began(site, orders, ask, undisturbed, place):
    ending = undisturbed(place[0])
    job_id, _ = cut(orders, ask, place)
    job = site.admin.job(job_id, timeout_s=FINAL_WITHIN_S)
    assert (job["status"], job["attempt"]) == ("success", 1 if place[1:3] == ("close", "after") else 2)
    found = site.inside.findings(job_id)
    assert found["jobs"][job_id] == ending
    assert (found["leaks"], found["not final"]) == ({}, [])


def test_a_worker_killed_while_it_takes_back_what_it_made_leaves_nothing(site, orders, ask):
    cut_ordered(orders, action="guest.create", name="undo volume_delete", side="after", cut=Cut.WORKER)
    site.host.set_fault(HOST, "domain_start", FaultKind.ERROR, times=0)
    try:
        accepted = ask("guest.create")
        cut_made(orders)
        job = site.admin.job(accepted["job"]["id"], timeout_s=FINAL_WITHIN_S)
    finally:
        site.host.clear_faults(HOST)
    assert (job["status"], job["error"]["code"], job["attempt"]) == ("error", "driver_failed", 2)
    found = site.inside.findings(job["id"])
    assert (found["jobs"][job["id"]]["lifecycle"], found["jobs"][job["id"]]["volumes"]) == ("error", [])
    assert (found["leaks"], found["not final"]) == ({}, [])
    site.admin.done(site.admin.delete(f"/guests/{accepted['guest']['id']}"))


LATE = [
    ("guest.create", "ensure_seed", "after", Cut.FREEZE),
    ("guest.create", "ensure_defined", "before", Cut.FREEZE),
    ("guest.create", "close", "before", Cut.FREEZE),
    ("guest.delete", "ensure_volumes_gone", "before", Cut.FREEZE),
]


@pytest.mark.parametrize("place", LATE, ids=[" ".join(place[:3]) for place in LATE])
def test_an_attempt_that_wakes_up_late_writes_nothing_and_asks_nothing_of_the_host(
    site, orders, ask, undisturbed, place
):
    ending = undisturbed(place[0])
    job_id, frozen = cut(orders, ask, place)
    try:
        job = site.admin.job(job_id, timeout_s=FINAL_WITHIN_S)
        assert (job["status"], job["attempt"]) == ("success", 2)
        before = site.inside.findings(job_id)
        last = site.host.calls(host=HOST)[-1].sequence
    finally:
        os.kill(frozen, signal.SIGCONT)
    wait_until(lambda: overtaken(site, job_id), "the late attempt notices", timeout_s=20)
    assert [one.call for one in site.host.calls(host=HOST, after=last) if one.call not in WATCHING] == []
    after = site.inside.findings(job_id)
    assert after["jobs"][job_id] == before["jobs"][job_id] == ending
    assert (after["leaks"], after["not final"]) == ({}, [])
    assert site.admin.get(f"/jobs/{job_id}") == job
    assert job["status"] in FINAL


def overtaken(site: Installation, job_id: str) -> bool:
    """True when a worker has said that its attempt of this job was overtaken."""
    logs = [log.read_text() for log in site.panel.logs.glob("worker*.log")]
    return any("overtaken" in line and job_id in line for log in logs for line in log.splitlines())
