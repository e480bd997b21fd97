"""A guest's page and the list of guests, open in two tabs of a browser: when do they show what happened?"""

import re
import time

from playwright.sync_api import Browser, Locator, expect

from lab.panel import LabPanel
from tests.browser.site import Site
from tests.browser.visitor import SLOW_MS, visitor_make


class OpenPages:
    """Opened by the panel's administrator; neither may be loaded anew."""

    def __init__(self, browser: Browser, panel: LabPanel, guest_id: str) -> None:
        site = Site(panel.url, panel.port, {}, {}, panel.logs / "web.log")
        self._visitor = visitor_make(browser, site)
        self._visitor.sign_in(panel.admin_email, panel.admin_password)
        self._list, self._guest = self._visitor.page, self._visitor.context.new_page()
        self._list.goto(f"{site.url}/guests")
        self._guest.goto(f"{site.url}/guests/{guest_id}")
        link = f"a[href='/guests/{guest_id}']"
        self._states: tuple[Locator, Locator] = (
            self._list.locator("tr", has=self._list.locator(link)).locator(".state"),
            self._guest.locator(".server-sub .state"),
        )
        for page in (self._list, self._guest):
            expect(page.locator(".live-pill")).to_be_visible(timeout=SLOW_MS)
            page.evaluate("window.same = true")

    def show(self, words: str, *, since: float, within_s: float) -> float:
        """Wait until both show a state that matches ``words``; return the seconds that took. Raises AssertionError."""
        for state in self._states:
            left_ms = 1000 * (since + within_s - time.monotonic())
            expect(state).to_have_text(re.compile(words), timeout=max(1.0, left_ms))
        took = time.monotonic() - since
        assert [page.evaluate("window.same") for page in (self._list, self._guest)] == [True, True]
        return took

    def close(self) -> None:
        """Close both; they must have done no wrong."""
        self._visitor.context.close()
        assert self._visitor.take_wrongs() == []
