"""A host loses its power: what ran there runs again, guarded, and what was off stays off."""

from functools import partial

import pytest

from lab.server import Server, wait_until
from tests.lab.conftest import Lab

_BOOT_ID = "from hosts.models import Host; print(Host.objects.get().boot_id)"


def seen_running(server: Server) -> bool:
    return bool(server.now()["power_state"] == "running")


@pytest.mark.kvm
@pytest.mark.lxc
def test_guests_run_again_after_a_power_cut(lab: Lab, order):
    before = lab.host.contents()
    running = [order("kvm", name="runs-kvm"), order("lxc", name="runs-lxc")]
    stopped = order("lxc", name="stopped")
    for server in (*running, stopped):
        server.wait_login()
    stopped.act("stop")
    boot_id = lab.panel.manage("shell", "-v0", "-c", _BOOT_ID)
    # The collector must have seen them run under this boot.
    wait_until(lambda: all(map(seen_running, running)), "they are seen running")

    lab.host.restart()

    assert [lab.host.runs(one.id) for one in (*running, stopped)] == [False] * 3
    for server in running:
        wait_until(partial(lab.host.runs, server.id), "it is started", timeout_s=90)
        server.wait_login()
        wait_until(partial(seen_running, server), "the panel sees it run")
        jobs = lab.admin.get(f"/jobs?guest={server.id}")["results"]
        assert [job["action"] for job in jobs].count("guest.start") == 1
    assert lab.panel.manage("shell", "-v0", "-c", _BOOT_ID) != boot_id
    rules = lab.host.call("nft", "list", "table", "bridge", "innkeeper")
    assert [one.mac in rules for one in (*running, stopped)] == [True, True, False]
    assert not lab.host.runs(stopped.id)
    assert stopped.now()["power_wanted"] == "off"
    for server in (*running, stopped):
        server.delete()
    lab.wait_empty(before)
