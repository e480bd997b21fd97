"""A person with a browser: signs in, opens pages, and notes everything that a page does wrong."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from tests.browser.pages import PASSWORD, PEOPLE, WIDTHS
from tests.browser.site import ROOT, Site

SLOW_MS = 15_000
AXE = ROOT / "node_modules/axe-core/axe.min.js"
GRAVE = ("serious", "critical")

SETTLED = """() => {
  const page = document.getElementById("page");
  if (!page) return document.readyState === "complete";
  return page.querySelector("h1") && !page.querySelector("[aria-busy=true], .skeleton");
}"""

WEIGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
API = """async ([method, path, body]) => {
  const token = JSON.parse(document.getElementById("boot").textContent).csrf;
  const answer = await fetch("/api/v1" + path, {method, body: body && JSON.stringify(body),
    headers: {"Content-Type": "application/json", "X-CSRFToken": token, "Idempotency-Key": crypto.randomUUID()}});
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? null : await answer.json();
}"""
LOOK = """async theme => {
  document.documentElement.dataset.theme = theme;
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
}"""


@dataclass
class Visitor:
    """One browser context. ``wrongs`` collects console errors, exceptions, and requests to elsewhere."""

    site: Site
    context: BrowserContext
    page: Page
    wrongs: list[str] = field(default_factory=list)

    def open(self, path: str) -> int:
        """Open a page, wait until its data is there, and return its HTTP status."""
        response = self.page.goto(self.site.url + self.site.path(path))
        self.settle()
        if response is None:  # the page itself was just on its way there, and got there first
            response = self.page.reload()
        assert response is not None
        return response.status

    def settle(self) -> None:
        """Wait until the page shows its data."""
        self.page.wait_for_function(SETTLED, timeout=20_000)

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Sign in by the form."""
        self.page.goto(f"{self.site.url}/accounts/login/")
        self.page.fill("[name=login]", email)
        self.page.fill("[name=password]", password)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(lambda url: "/accounts/" not in url)
        self.settle()

    def weight_bytes(self) -> int:
        """Return the compressed size of the page and of everything it has loaded, the API's answers included."""
        weight: int = self.page.evaluate(WEIGHT)
        return weight

    def look(self, *, width: int, theme: str) -> None:
        """See the present page in another window width and theme."""
        self.page.set_viewport_size({"width": width, "height": WIDTHS[width]})
        self.page.evaluate(LOOK, theme)

    def take_wrongs(self) -> list[str]:
        """Return what went wrong since the last call."""
        found, self.wrongs[:] = list(self.wrongs), []
        return found

    def watch(self) -> None:
        """Begin to note what goes wrong."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrongs.append(f"exception: {error}"))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        expected = "status of 40" in message.text and message.location.get("url", "") == self.page.url
        if message.type in ("error", "warning") and not expected:
            self.wrongs.append(f"console {message.type}: {message.text} {message.location.get('url', '')}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.site.url, "data:", "blob:", "about:")):
            self.wrongs.append(f"fetched from elsewhere: {request.url}")


def visitor_make(
    browser: Browser, site: Site, *, who: str = "nobody", width: int = 1440, theme: str = "light", **options: Any
) -> Visitor:
    """Open a browser context and sign in."""
    looks: dict[str, Any] = {"color_scheme": theme, "reduced_motion": "reduce", **options}
    context = browser.new_context(viewport={"width": width, "height": WIDTHS[width]}, **looks)
    visitor = Visitor(site, context, context.new_page())
    visitor.watch()
    if who in PEOPLE:
        visitor.sign_in(PEOPLE[who])
    return visitor


def api(page: Page, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Call the API as the person whose page it is; what it refuses is an error."""
    return page.evaluate(API, [method, path, body])


def rename(page: Page, guest: str, name: str) -> None:
    """Rename a guest by the API, as somebody else's page would."""
    assert api(page, "PATCH", f"/guests/{guest}", {"name": name})["name"] == name


def wait_until(page: Page, so: Callable[[], bool]) -> None:
    """Wait for what the test's own handlers of requests note: they are called while the page is waited for."""
    deadline = time.monotonic() + SLOW_MS / 1000
    while not so():
        assert time.monotonic() < deadline, "It did not come about"
        page.wait_for_timeout(20)


def axe_violations(visitor: Visitor) -> list[str]:
    """Return the grave accessibility faults of the page as it stands."""
    visitor.page.evaluate(AXE.read_text())
    result = visitor.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for fault in result["violations"]
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]
