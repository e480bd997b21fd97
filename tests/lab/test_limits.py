"""What a container may use of its host: processes, memory, processor."""

import time

import pytest

from lab.server import Server, wait_until
from tests.lab.conftest import Lab

pytestmark = pytest.mark.lxc
PROCESSES = 60


@pytest.fixture(scope="module")
def plan(lab: Lab) -> str:
    """A plan with a limit on processes."""
    body = {
        "slug": "limited",
        "name": "Limited",
        "host_types": ["lxc"],
        "vcpus": 1,
        "memory_mib": 128,
        "disk_gib": 1,
        "max_processes": PROCESSES,
        "price_monthly": "1.00",
        "price_hourly": "0.01",
    }
    return str(lab.admin.post("/plans", body)["slug"])


@pytest.fixture
def limited(order, plan) -> Server:
    return order("lxc", name="limited", vcpus=None, memory_mib=None, disk_gib=None, plan=plan)


def controller(lab: Lab, server: Server, name: str) -> str:
    """Return what a file of a guest's control groups holds, of the first group that has it."""
    for group in sorted(lab.host.groups_of(server.id)):
        found = lab.host.call("cat", f"{group}/{name}")
        if found:
            return found.strip()
    return ""


def test_a_fork_bomb_stays_in_its_container(lab: Lab, order, limited):
    neighbour = order("lxc", name="neighbour")
    root, beside = limited.wait_login(), neighbour.wait_login()
    bomb = root.start("bomb() { while :; do bomb & sleep 0.1; done; }; bomb")
    try:
        time.sleep(5)
        began = time.monotonic()
        assert beside.run("id -u") == "0"
        assert lab.host.call("echo", "here") == "here\n"
        assert time.monotonic() - began < 15
        running, limit = lab.host.processes_of(limited.id)
        assert limit == PROCESSES
        assert PROCESSES / 2 < running <= PROCESSES
    finally:
        bomb.kill()
        bomb.wait()
        limited.act("stop")
    limited.act("start")
    limited.wait_login()


def test_memory_ends_at_the_limit(limited, lab):
    root = limited.wait_login()
    # /dev/zero's 300 MiB have no line end, so tail keeps all of it.
    said = root.run("head -c 314572800 /dev/zero | tail >/dev/null; echo ended $?", check=False, timeout_s=90)
    assert said.splitlines()[-1] not in ("", "ended 0")
    assert limited.login().run("id -u") == "0"


def test_one_vcpu_is_one_processor_s_time(limited, lab):
    root = limited.wait_login()
    busy = root.start("yes >/dev/null & yes >/dev/null & sleep 6; kill %1 %2")
    time.sleep(1)
    before, began = int(controller(lab, limited, "cpuacct.usage")), time.monotonic()
    time.sleep(4)
    used = int(controller(lab, limited, "cpuacct.usage")) - before
    assert used / 1e9 <= 1.15 * (time.monotonic() - began)
    busy.wait()
    wait_until(limited.login().works, "login afterwards")
