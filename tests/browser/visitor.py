"""A person with a browser: signs in, opens pages, and notes everything that a page does wrong."""

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from tests.browser.pages import PASSWORD, PEOPLE, WIDTHS
from tests.browser.site import Site

SETTLED = """() => {
  const page = document.getElementById("page");
  if (!page) return document.readyState === "complete";
  return page.querySelector("h1") && !page.querySelector("[aria-busy=true], .skeleton");
}"""

WEIGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
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

    def sign_in(self, email: str) -> None:
        """Sign in by the form."""
        self.page.goto(f"{self.site.url}/accounts/login/")
        self.page.fill("[name=login]", email)
        self.page.fill("[name=password]", PASSWORD)
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
