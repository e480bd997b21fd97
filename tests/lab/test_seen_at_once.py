"""What happens to a real guest behind the panel's back is on an open page within two seconds."""

import time
from collections.abc import Callable

import pytest

from lab.page import Page
from lab.server import Server, wait_until
from tests.lab.conftest import Lab

TYPES = [pytest.param("kvm", marks=pytest.mark.kvm), pytest.param("lxc", marks=pytest.mark.lxc)]
SEEN_WITHIN_S = 2.0


@pytest.mark.parametrize("host_type", TYPES)
def test_what_happens_on_the_host_is_seen_at_once(lab: Lab, order, host_type):
    server = order(host_type, name="watched")
    login = server.wait_login()
    page = Page(lab.admin)
    gone = {"shutoff", "crashed"}

    # From inside: it goes down in its own time, so what counts is the moment when its host has it off.
    login.start("sleep 1; poweroff -f")
    wait_until(lambda: not lab.host.runs(server.id), "it is off", poll_s=0.05)
    assert seen(page, server, gone) < SEEN_WITHIN_S

    assert after(lambda: lab.host.virsh_start(server.id), page, server, {"running"}) < SEEN_WITHIN_S
    assert after(lambda: lab.host.kill(server.id), page, server, gone) < SEEN_WITHIN_S
    assert after(lambda: lab.host.virsh_start(server.id), page, server, {"running"}) < SEEN_WITHIN_S


def after(deed: Callable[[], None], page: Page, server: Server, states: set[str]) -> float:
    """Do something on the host; return the seconds until the page heard and the server was shown so."""
    deed()
    return seen(page, server, states)


def seen(page: Page, server: Server, states: set[str]) -> float:
    """Return the seconds from now until the page has heard of the server and it is shown in one of these states."""
    began = time.monotonic()
    wait_until(lambda: server.now()["power_state"] in states, f"it is {states}", timeout_s=30, poll_s=0.05)
    page.heard(server.id, since=began - 5, within_s=10)
    return time.monotonic() - began
