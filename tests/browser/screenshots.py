"""Pictures of every page in both widths and themes: ``python -m tests.browser.screenshots [name ...]``.

Needs DATABASE_URL and REDIS_URL as the tests do. Writes ``var/screenshots/NAME-WIDTH-THEME.png``.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings.test")

from playwright.sync_api import Browser

from tests.browser.chromium import chromium_running
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
    if not names:
        return
    visitor = visitor_make(browser, site, who=who, width=width, theme=theme)
    for name in names:
        visitor.open(PAGES[who][name])
        _picture(visitor, f"{name}-{width}-{theme}", whole=width < 1000)
    if who == "admin" and not wanted:
        _extras(visitor, width, theme)
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


def _picture(visitor: Visitor, name: str, *, whole: bool = False) -> None:
    path = TARGET / f"{name}.png"
    visitor.page.screenshot(path=path, full_page=whole)
    sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
