"""The live stream when it fails without a word, and lists that it refreshes."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Route, expect

from tests.browser.visitor import SLOW_MS, Visitor, api, rename

SILENCE_MS = 41_000  # longer than pages put up with
RETRY_MS = 10_000  # as long as they wait between tries
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n: open\n\n"


@contextmanager
def mute_stream() -> Iterator[str]:
    """Serve one event stream that opens and then says nothing; yields its address."""
    held: list[socket.socket] = []

    def serve(listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        held.append(connection)
        connection.recv(65536)
        connection.sendall(HEAD)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def test_a_stream_that_falls_silent_is_said_to_be_stale_and_taken_up_again(
    visit: Callable[..., Visitor], admin: Visitor
) -> None:
    owner = visit(who="owner")
    page = owner.page
    tries: list[str] = []
    with mute_stream() as mute:

        def stream(route: Route) -> None:
            tries.append(route.request.url)
            if len(tries) == 1:
                route.continue_(url=mute)
            else:
                route.abort()

        page.route("**/api/v1/events", stream)
        page.clock.install()
        owner.open("/servers")
        expect(page.locator(".live-pill")).to_be_visible(timeout=SLOW_MS)
        expect(page.locator(".stale")).to_have_count(0)
        page.clock.fast_forward(SILENCE_MS)
        expect(page.locator(".stale")).to_contain_text("interrupted", timeout=SLOW_MS)
        expect(page.locator(".live-pill")).to_have_count(0)
        admin.open("/hosts")
        rename(admin.page, owner.site.ids["guest"], "web-1-unheard")
        page.unroute("**/api/v1/events")
        page.clock.fast_forward(RETRY_MS)
        expect(page.locator(".stale")).to_have_count(0, timeout=2 * SLOW_MS)
        expect(page.locator(".live-pill")).to_be_visible()
        expect(page.get_by_role("link", name="web-1-unheard")).to_be_visible(timeout=SLOW_MS)
    assert len(tries) > 1
    rename(admin.page, owner.site.ids["guest"], "web-1")
    owner.take_wrongs()


def test_rows_shown_by_show_more_stay_when_an_event_refreshes_the_list(
    visit: Callable[..., Visitor], admin: Visitor
) -> None:
    page = admin.page
    admin.open("/networks/{network}")
    rows = page.locator(".list tbody tr")
    expect(rows).to_have_count(100)
    expect(page.locator(".live-pill")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Show 100 more").click()
    expect(rows).to_have_count(200)
    other = visit(who="admin")
    other.open("/hosts")
    rename(other.page, admin.site.ids["guest"], "web-1-moved")
    network = f"/networks/{admin.site.ids['network']}"
    with page.expect_response(re.compile(r"/api/v1/addresses\?.*limit=200")):
        api(other.page, "PATCH", network, {"name": "public-one"})
    expect(page.locator("h1")).to_have_text("public-one")
    expect(page.get_by_role("link", name="web-1-moved")).to_be_visible(timeout=SLOW_MS)
    expect(rows).to_have_count(200)
    expect(page.locator(".list-foot")).to_contain_text("200 rows so far")
    api(other.page, "PATCH", network, {"name": "public-1"})
    rename(other.page, admin.site.ids["guest"], "web-1")
