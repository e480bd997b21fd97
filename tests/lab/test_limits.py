"""What a container may use of its host: processes, memory, processor."""

import time

import pytest

from lab.processes import LabError
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


def cpu_s(lab: Lab, server: Server) -> float:
    """Return the processor time a guest has used: cpuacct.usage of version 1, or usage_usec of version 2."""
    for group in sorted(lab.host.groups_of(server.id)):
        nanoseconds = lab.host.call("cat", f"{group}/cpuacct.usage").strip()
        if nanoseconds:
            return int(nanoseconds) / 1e9
        for line in lab.host.call("cat", f"{group}/cpu.stat").splitlines():
            name, _, value = line.partition(" ")
            if name == "usage_usec":
                return int(value) / 1e6
    raise LabError(f"no control group counts the processor time of guest {server.id}")


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
    before, began = cpu_s(lab, limited), time.monotonic()
    time.sleep(4)
    used = cpu_s(lab, limited) - before
    assert 0 < used <= 1.15 * (time.monotonic() - began)
    busy.wait()
    wait_until(limited.login().works, "login afterwards")
