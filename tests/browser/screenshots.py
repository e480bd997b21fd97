"""Pictures of every page in both widths and themes: ``python -m tests.browser.screenshots [name ...]``.

Needs DATABASE_URL and REDIS_URL as the tests do. Writes ``var/screenshots/NAME-WIDTH-THEME.png``.
"""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings.test")

from playwright.sync_api import Browser, Route

from tests.browser.chromium import chromium_running
from tests.browser.limiter import LABEL, limiter_stop
from tests.browser.pages import PAGES, WIDTHS
from tests.browser.site import ROOT, Site, site_running
from tests.browser.visitor import Visitor, visitor_make

TARGET = ROOT / "var/screenshots"
THEMES = ("light", "dark")


def main(wanted: list[str]) -> None:
    """Make the pictures, of all pages or of those whose names begin with a wanted word."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        site_running(Path(directory)) as site,
        chromium_running() as browser,
    ):
        for who in PAGES:
            for width in WIDTHS:
                for theme in THEMES:
                    _album(browser, site, who=who, width=width, theme=theme, wanted=wanted)


def _album(browser: Browser, site: Site, *, who: str, width: int, theme: str, wanted: list[str]) -> None:
    names = [name for name in PAGES[who] if not wanted or any(name.startswith(word) for word in wanted)]
    if not names and "dialogs" not in wanted:
        return
    visitor = visitor_make(browser, site, who=who, width=width, theme=theme)
    for name in names:
        visitor.open(PAGES[who][name])
        _picture(visitor, f"{name}-{width}-{theme}", whole=width < 1000)
    if who == "admin" and not wanted:
        _extras(visitor, width, theme)
    if who == "admin" and (not wanted or "dialogs" in wanted):
        _dialogs(visitor, width, theme)
        _healths(visitor, width, theme)
        _away(visitor, width, theme)
    visitor.context.close()


def _extras(visitor: Visitor, width: int, theme: str) -> None:
    """Show what opens above a page: the palette, a secret, a menu, the bar of selected rows, the band of acting."""
    visitor.open("/guests")
    visitor.page.keyboard.press("Control+k")
    visitor.page.fill("[role=combobox]", "web")
    visitor.page.wait_for_selector("[role=option] .state")
    _picture(visitor, f"palette-{width}-{theme}")
    visitor.page.keyboard.press("Escape")
    visitor.open("/tokens")
    visitor.page.get_by_role("button", name="Create token").first.click()
    visitor.page.get_by_label("Name").fill("backup script")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_selector(".command-line code")
    _picture(visitor, f"secret-{width}-{theme}")
    visitor.page.get_by_role("button", name="I have kept it").click()
    visitor.open("/guests")
    if width > 1000:
        for row in (1, 2, 3):
            visitor.page.locator("tbody input[type=checkbox]").nth(row).click()
        visitor.page.locator("tbody [aria-haspopup=menu]").nth(4).click()
        _picture(visitor, f"bulk-{width}-{theme}")
    visitor.open("/customers/{customer}")
    visitor.page.get_by_role("button", name="Act as this customer").click()
    visitor.page.wait_for_url("**/servers")
    visitor.settle()
    _picture(visitor, f"acting-{width}-{theme}")
    visitor.page.get_by_role("button", name="Stop acting").click()
    visitor.page.wait_for_url("**/customers/**")


def _dialogs(visitor: Visitor, width: int, theme: str) -> None:
    """Show what can be done about a difference, and the questions that come before it is."""
    page = visitor.page
    limiter_stop(visitor.site)
    for label, action, name in (
        ("web-1", "Repair", "repair"), ("erp-2019", "Take over", "adopt"),
        ("old-web.qcow2", "Release", "release"), ("erp-2019", "Ignore", "ignore"),
        (LABEL, "Let all go on", "go-on"),
    ):  # fmt: skip
        visitor.open("/differences")
        page.get_by_role("button", name=f"What to do about {label}").click()
        if name == "repair":
            _picture(visitor, f"difference-menu-{width}-{theme}")
        page.get_by_role("menuitem", name=action).click()
        page.get_by_role("dialog").wait_for()
        page.wait_for_timeout(400)  # its choices come by requests of their own
        _picture(visitor, f"difference-{name}-{width}-{theme}")


def _healths(visitor: Visitor, width: int, theme: str) -> None:
    """Show Health of a panel that was started just now, and with nothing wrong."""
    start = {
        "severity": "notice", "code": "starting_collector", "subject": "collector", "since": None, "link": "",
        "sentence": "The panel is starting: its collector has not been heard of yet.",
        "hint": "That takes up to half a minute. Should it not come, this line says so then.",
    }  # fmt: skip
    for name, items in (("fine", []), ("starting", [start])):
        visitor.page.route("**/api/v1/health", partial(_health_answer, items=items))
        visitor.open("/health")
        _picture(visitor, f"health-{name}-{width}-{theme}", whole=width < 1000)
        visitor.page.unroute("**/api/v1/health")


def _health_answer(route: Route, *, items: list[dict[str, Any]]) -> None:
    route.fulfill(json={**route.fetch().json(), "items": items})


def _away(visitor: Visitor, width: int, theme: str) -> None:
    """Show what people see while the panel has no database, and how an open page says it."""
    visitor.open("/jobs?status=error")
    with visitor.site.database_away():
        visitor.page.get_by_role("button", name="Clear").click()
        visitor.page.locator(".notice-danger").wait_for()
        _picture(visitor, f"away-list-{width}-{theme}")
        visitor.page.goto(f"{visitor.site.url}/jobs")
        _picture(visitor, f"away-{width}-{theme}")


def _picture(visitor: Visitor, name: str, *, whole: bool = False) -> None:
    path = TARGET / f"{name}.png"
    visitor.page.screenshot(path=path, full_page=whole)
    sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
