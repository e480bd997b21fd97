"""A whole panel and a browser: open pages show what happens on a host, and that it has fallen silent."""

import time
from collections.abc import Iterator
from uuid import UUID

import pytest
from playwright.sync_api import Browser

from hosts.drivers.simulated.driver import SimulatedDriver, make_uri
from hosts.drivers.types import HostType
from tests.browser.open_pages import OpenPages
from tests.faults.conftest import HOST, Installation, installed

SEEN_WITHIN_S = 2.0
# So seldom is a host asked that only events can tell; a connection that ends is one.
SELDOM = {"COLLECT_EVERY_S": "60", "JOB_LEASE_S": "60", "JOB_RENEW_S": "15"}


@pytest.fixture(scope="module")
def panel(chromium: Browser) -> Iterator[Installation]:
    with installed(settings=SELDOM) as found:
        yield found


@pytest.mark.timeout(300)
def test_open_pages_show_what_happens_on_the_host_without_being_loaded_anew(panel: Installation, chromium: Browser):
    accepted = panel.order("watched")
    panel.admin.done(accepted)
    guest_id = accepted["guest"]["id"]
    driver = SimulatedDriver(HostType.KVM, make_uri(HOST, panel.panel.run_dir / "s.sock"))
    pages = OpenPages(chromium, panel.panel, guest_id)
    pages.show("^Running$", since=time.monotonic(), within_s=15)

    for _ in range(2):
        since = time.monotonic()
        panel.host.guest_poweroff(HOST, UUID(guest_id))
        pages.show("^Off$", since=since, within_s=SEEN_WITHIN_S)
        since = time.monotonic()
        driver.domain_start(UUID(guest_id))
        pages.show("^Running$", since=since, within_s=SEEN_WITHIN_S)

    panel.host.set_reachable(HOST, False)
    since = time.monotonic()
    pages.show(r"^Unknown, last seen \d{1,2}:\d\d", since=since, within_s=10)
    assert panel.admin.get(f"/guests/{guest_id}")["lifecycle"] == "active"
    panel.host.set_reachable(HOST, True)
    pages.show("^Running$", since=time.monotonic(), within_s=30)
    pages.close()
