"""What happens to a real guest behind the panel's back is on an open page within two seconds."""

import time

import pytest

from lab.page import Page
from lab.server import Server, wait_until
from tests.lab.conftest import Lab

SEEN_WITHIN_S = 2.0


@pytest.mark.kvm
def test_what_happens_on_the_host_is_seen_at_once(lab: Lab, order):
    server = order("kvm", name="watched")
    login = server.wait_login()
    page = Page(lab.admin)
    gone = {"shutoff", "crashed"}

    def off() -> None:
        """Its host knows: libvirt itself takes a moment to clear away what ran, and tells when it has."""
        wait_until(lambda: not lab.host.runs(server.id), "it is off", poll_s=0.05)

    login.start("sleep 1; poweroff -f")
    off()
    assert seen(page, server, gone) < SEEN_WITHIN_S
    lab.host.virsh_start(server.id)
    assert seen(page, server, {"running"}) < SEEN_WITHIN_S
    lab.host.kill(server.id)
    off()
    assert seen(page, server, gone) < SEEN_WITHIN_S
    lab.host.virsh_start(server.id)
    assert seen(page, server, {"running"}) < SEEN_WITHIN_S


def seen(page: Page, server: Server, states: set[str]) -> float:
    """Return the seconds from now until the page has heard of the server and it is shown in one of these states."""
    began = time.monotonic()
    wait_until(lambda: server.now()["power_state"] in states, f"it is {states}", timeout_s=30, poll_s=0.05)
    page.heard(server.id, since=began - 5, within_s=10)
    return time.monotonic() - began
