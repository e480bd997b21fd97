"""The system's Chromium."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

PROGRAM = "/usr/bin/chromium"
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip


@contextmanager
def chromium_running() -> Iterator[Browser]:
    """Run a browser for the time of a block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def chromium_or_skip() -> Iterator[Browser]:
    """Run a browser, or skip the test on a machine that has none; in CI the runner takes that for a failure."""
    if not Path(PROGRAM).exists():
        pytest.skip("Chromium is not installed")
    with chromium_running() as browser:
        yield browser
