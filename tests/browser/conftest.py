"""Fixtures of page tests: one site and one browser for all of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import chromium_or_skip
from tests.browser.site import ROOT, Site, site_running
from tests.browser.visitor import Visitor, visitor_make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    here = Path(__file__).parent
    for item in items:
        if here in Path(str(item.fspath)).parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    if not (ROOT / "node_modules/axe-core").is_dir():
        pytest.skip("node_modules is not installed: run npm ci")
    with chromium_or_skip() as browser:
        yield browser


@pytest.fixture(scope="session")
def site(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with the demo company."""
    with site_running(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Callable[..., Visitor]]:
    """Return ``visitor_make`` for this site; what it opens is closed after the test, and must have done no wrong."""
    opened: list[Visitor] = []

    def make(**options) -> Visitor:
        opened.append(visitor_make(chromium, site, **options))
        return opened[-1]

    yield make
    wrongs = [wrong for visitor in opened for wrong in visitor.take_wrongs()]
    for visitor in opened:
        visitor.context.close()
    assert wrongs == []


@pytest.fixture
def admin(visit: Callable[..., Visitor]) -> Visitor:
    """An administrator."""
    return visit(who="admin")


@pytest.fixture
def owner(visit: Callable[..., Visitor]) -> Visitor:
    """The owner of a customer."""
    return visit(who="owner")
