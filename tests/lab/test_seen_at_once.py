"""What happens to real guests behind the panel's back is on an open page within two seconds, or 30 without events."""

import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser

from lab.server import Server, wait_until
from tests.browser.open_pages import OpenPages
from tests.lab.conftest import Lab

SEEN_WITHIN_S = 2.0
SEEN_WITHOUT_EVENTS_S = 30.0
TYPES = [pytest.param("kvm", marks=pytest.mark.kvm), pytest.param("lxc", marks=pytest.mark.lxc)]
GONE, ON = frozenset({"shutoff", "crashed"}), frozenset({"running"})
WORDS = {GONE: "^(Off|Crashed)$", ON: "^Running$"}
Seen = Callable[[frozenset[str]], float]  # seconds from now until one of these states is shown
COLLECTORS = ("collector1", "collector2")
# A collector to which no hypervisor tells anything.
DEAF = """
from django.core.management import execute_from_command_line
from hosts.drivers.libvirt import events
events.listen = lambda session, handler: None
execute_from_command_line(["manage.py", "collector"])
"""


@pytest.fixture
def collectors(lab: Lab) -> Iterator[Callable[..., None]]:
    """Put other collectors in the place of the lab's, which ask as seldom as usual: ``collectors("-c", PROGRAM)``."""
    usual = dict(lab.panel.settings)

    def replace(*words: str) -> None:
        for name in COLLECTORS:
            lab.panel.processes.pop(name).stop(number=signal.SIGTERM)
        for name in COLLECTORS:
            lab.panel.start_one(name, *words)

    def seldom(*words: str) -> None:
        lab.panel.settings["COLLECT_EVERY_S"] = "15"
        replace(*words)

    yield seldom
    lab.panel.settings.update(usual)
    replace("manage.py", "collector")


def off(lab: Lab, server: Server) -> None:
    """Wait until its host knows: libvirt itself takes a moment to clear away what ran, and tells when it has."""
    wait_until(lambda: not lab.host.runs(server.id), "it is off", poll_s=0.05)


def by_pages(pages: OpenPages) -> Seen:
    """See it in a browser."""
    return lambda states: pages.show(WORDS[states], since=time.monotonic(), within_s=60)


def by_api(server: Server) -> Seen:
    """See it in the API alone."""
    return lambda states: wait_until(
        lambda: server.now()["power_state"] in states, f"it is {states}", timeout_s=60, poll_s=0.05
    )


def looked_at(server: Server) -> None:
    """Wait until the collectors, which are new, have looked at it: from then on they listen."""
    began = datetime.now(UTC)
    wait_until(lambda: datetime.fromisoformat(server.now()["observed_at"]) > began, "the collectors look at it")


def powered_off_and_on(lab: Lab, server: Server, seen: Seen) -> list[float]:
    """Have it powered off from inside, and started by hand; return when each was seen."""
    server.login().start("sleep 1; poweroff -f")
    off(lab, server)
    gone = seen(GONE)
    lab.host.virsh_start(server.id)
    return [gone, seen(ON)]


def killed_and_started(lab: Lab, server: Server, seen: Seen) -> list[float]:
    """Have it killed on its host, and started by hand; return when each was seen, from the kill on."""
    lab.host.kill(server.id)
    gone = seen(GONE)
    lab.host.virsh_start(server.id)
    return [gone, seen(ON)]


@pytest.mark.browser
@pytest.mark.parametrize("host_type", TYPES)
def test_what_happens_on_the_host_is_seen_at_once(lab: Lab, order, collectors, chromium: Browser, host_type):
    server = order(host_type, name="watched")
    collectors("manage.py", "collector")
    pages = OpenPages(chromium, lab.panel, server.id)
    server.wait_login()
    looked_at(server)
    for happen in (powered_off_and_on, killed_and_started):
        assert max(happen(lab, server, by_pages(pages))) < SEEN_WITHIN_S
    pages.close()


@pytest.mark.kvm
@pytest.mark.lxc
def test_what_no_event_tells_is_seen_by_the_next_look(lab: Lab, order, collectors):
    servers = [order("kvm", name="unheard-kvm"), order("lxc", name="unheard-lxc")]
    collectors("-c", DEAF)
    for server in servers:
        looked_at(server)
    lags = [lag for server in servers for lag in killed_and_started(lab, server, by_api(server))]
    assert max(lags) < SEEN_WITHOUT_EVENTS_S
    assert max(lags) > SEEN_WITHIN_S  # nobody told them
