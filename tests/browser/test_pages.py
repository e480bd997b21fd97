"""Every page, as everybody who may open it: nothing in the console, nothing from elsewhere, readable by all."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from tests.browser.pages import PAGES
from tests.browser.site import Site
from tests.browser.visitor import Visitor, axe_violations, visitor_make

LOOKS = [(1440, "light"), (390, "dark")]
LIST_BYTES = 250 * 1024
EXPECTED_STATUS = {"not-found": 404, "forbidden": 403}
ALL = [(who, name) for who, pages in PAGES.items() for name in pages]
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > width + 0.5)
    .map((one) => one.outerHTML.slice(0, 120));
}"""


@pytest.fixture(scope="module")
def crowd(chromium: Browser, site: Site):
    """One signed-in visitor for each person, kept for all pages."""
    made: dict[str, Visitor] = {}

    def of(who: str) -> Visitor:
        if who not in made:
            made[who] = visitor_make(chromium, site, who=who)
        return made[who]

    yield of
    for visitor in made.values():
        visitor.context.close()


@pytest.mark.parametrize(("who", "name"), ALL)
def test_page(crowd: Callable[[str], Visitor], who: str, name: str) -> None:
    visitor = crowd(who)
    visitor.take_wrongs()
    visitor.page.set_viewport_size({"width": 1440, "height": 900})
    status = visitor.open(PAGES[who][name])
    assert status == EXPECTED_STATUS.get(name, 200)
    assert visitor.page.locator("h1").count() == 1
    for width, theme in LOOKS:
        visitor.look(width=width, theme=theme)
        assert visitor.page.evaluate(TOO_WIDE) == [], f"wider than {width} px"
        assert axe_violations(visitor) == [], f"{width} px, {theme}"
    assert visitor.take_wrongs() == []


def _browser_of(visitor: Visitor) -> Browser:
    browser = visitor.context.browser
    assert browser is not None
    return browser


@pytest.mark.parametrize(("who", "name"), [("admin", "guests"), ("owner", "servers"), ("admin", "hosts")])
def test_a_list_page_is_light(visit: Callable[..., Visitor], who: str, name: str) -> None:
    visitor = visit(who=who)
    visitor.context.new_cdp_session(visitor.page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    visitor.open(PAGES[who][name])
    assert 100_000 < visitor.weight_bytes() < LIST_BYTES


def test_without_javascript_a_sentence_says_so(visit: Callable[..., Visitor]) -> None:
    signed_in = visit(who="owner")
    context = _browser_of(signed_in).new_context(
        java_script_enabled=False, storage_state=signed_in.context.storage_state()
    )
    page = context.new_page()
    page.goto(f"{signed_in.site.url}/servers")
    sentence = page.locator("noscript p")
    assert sentence.is_visible()
    assert "need JavaScript" in sentence.inner_text()
    context.close()


def test_the_policy_forbids_inline_and_foreign_code(visit: Callable[..., Visitor]) -> None:
    visitor = visit(who="admin")
    response = visitor.page.goto(f"{visitor.site.url}/overview")
    assert response is not None
    policy = response.header_value("content-security-policy") or ""
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy.replace("https", "http").replace(visitor.site.url, "")
