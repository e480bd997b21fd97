"""libvirtd killed, and restarted, amid many real jobs: none is lost or doubled, all succeed, nothing is left."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.client import FINAL
from lab.server import wait_until
from tests.lab.conftest import Lab

pytestmark = [pytest.mark.kvm, pytest.mark.lxc]
SERVERS = 50 if "INNKEEPER_TEST_FULL" in os.environ else 16
JOBS_WITHIN_S = 20.0 * SERVERS


def killed(lab: Lab) -> None:
    pid = int((lab.host.run_dir / "libvirtd.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "it is dead", poll_s=0.05)
    lab.host.libvirtd.start()


def restarted(lab: Lab) -> None:
    lab.host.libvirtd.stop(guests=False)
    lab.host.libvirtd.start()


@pytest.fixture
def roomy(lab: Lab) -> None:
    """The lab's host may be given as many vCPUs as the servers have."""
    (host,) = lab.admin.get("/hosts")["results"]
    assert lab.admin.call("PATCH", f"/hosts/{host['id']}", {"cpu_overcommit": "32.0"}).status == 200


@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("roomy")
def test_many_jobs_outlive_their_libvirtd(lab: Lab, order):
    bystander = order("lxc", name="bystander")
    before = lab.host.contents()
    kinds = ["kvm" if number % 8 == 0 else "lxc" for number in range(SERVERS)]
    servers = [order(kind, wait=False, with_key=False, memory_mib=96) for kind in kinds]
    amid(lab, [server.order["job"]["id"] for server in servers], lambda: killed(lab))

    def all_run() -> bool:
        return {server.now()["power_state"] for server in servers} == {"running"}

    wait_until(all_run, "all run", timeout_s=60)
    assert len(lab.host.contents().domains - before.domains) == SERVERS
    assert len({server.address() for server in servers}) == SERVERS

    deletions = [lab.admin.delete(f"/guests/{server.id}")["job"]["id"] for server in servers]
    amid(lab, deletions, lambda: restarted(lab))
    assert {server.now()["lifecycle"] for server in servers} == {"deleted"}
    lab.wait_empty(before)
    bystander.wait_login()
    wait_until(lambda: bystander.now()["power_state"] == "running", "the host is seen", timeout_s=60)


def amid(lab: Lab, job_ids: list[str], disaster: Callable[[], None]) -> None:
    """Let it come when a third of the jobs have ended and others are at work, and wait until all have succeeded."""
    assert len(set(job_ids)) == SERVERS

    def counted() -> Counter[str]:
        return Counter(lab.admin.get(f"/jobs/{job_id}")["status"] for job_id in job_ids)

    def ended(how_many: int) -> bool:
        now = counted()
        return sum(now[status] for status in FINAL) >= how_many

    wait_until(lambda: ended(SERVERS // 3), "a third has ended", timeout_s=JOBS_WITHIN_S, poll_s=0.2)
    assert counted()["running"] > 0
    disaster()
    wait_until(lambda: ended(SERVERS), "all have ended", timeout_s=JOBS_WITHIN_S)
    assert counted() == {"success": SERVERS}
