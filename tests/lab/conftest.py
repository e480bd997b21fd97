"""One lab for all tests of a run: host, outside, panel, image; and helpers to order servers."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from lab.client import Api
from lab.guest import KeyPair, key_make
from lab.host import HostContents, LabHost
from lab.outside import Outside
from lab.panel import LabPanel
from lab.server import Server, wait_until
from tests.browser.chromium import chromium_or_skip

BUILD_TIMEOUT_S = 1200.0  # on two busy cores
LAST = ("test_images.py", "test_mission.py")  # they need what takes longest to build


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name in LAST)


@dataclass(frozen=True)
class Lab:
    """Everything a test needs."""

    host: LabHost
    outside: Outside
    panel: LabPanel
    admin: Api
    key: KeyPair

    def wait_empty(self, before: HostContents, *, timeout_s: float = 20) -> None:
        """Wait until the host has nothing that it had not ``before``: the kernel takes some of it away on its own."""
        deadline = time.monotonic() + timeout_s
        while (more := self.host.contents().more_than(before)) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert more == {}

    def wait_image(self, slug: str) -> None:
        """Wait until a starter image's files are built, order it, and wait until servers can be made from it."""
        built = Path(os.environ["INNKEEPER_TEST_IMAGES"], slug, "manifest.json")
        wait_until(built.exists, f"the build of image {slug}", timeout_s=BUILD_TIMEOUT_S, poll_s=2)
        said = self.panel.manage("starter_images", slug).split()
        if "job" in said:
            self.admin.done({"job": {"id": said[-1]}})
        assert self.admin.get(f"/images/{slug}")["state"] == "ready"


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Build the lab, and take it away again."""
    netns = os.environ.get("INNKEEPER_TEST_NETNS")
    if not netns:
        pytest.skip("the lab is built by make test, in a network namespace of its own")
    state, run_dir = Path(os.environ["INNKEEPER_TEST_STATE"], "lab"), Path(os.environ["INNKEEPER_TEST_RUN"])
    name = os.environ["INNKEEPER_TEST_NAME"]
    host = LabHost("lab-host", netns, directory=state / "host", run_dir=run_dir / "h")
    subnets = host.subnets
    log = state.parent / "log"
    outside = Outside(f"{name}-out", netns, str(subnets.v4), str(subnets.v6), log=log / "lab-outside.log")
    panel = LabPanel(
        directory=state / "panel",
        run_dir=run_dir / "l",
        cache=Path(os.environ["INNKEEPER_CACHE"]),
        settings={"COLLECT_EVERY_S": "5", "API_RATE_LIMIT_PER_MINUTE": "100000"},
    )
    try:
        host.start()
        outside.start()
        panel.prepare()
        panel.enrol_host(host)
        panel.start()
        built = Lab(host, outside, panel, panel.api(), key_make(state / "keys"))
        panel.wait_hosts()
        built.wait_image("micro")
        yield built
    finally:
        panel.stop()
        host.stop()
        outside.stop()
        shutil.copytree(panel.logs, log / "lab", dirs_exist_ok=True)
        shutil.copytree(host.directory / "libvirt" / "log", log / "lab-libvirt", dirs_exist_ok=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    with chromium_or_skip() as browser:
        yield browser


@pytest.fixture
def order(lab: Lab) -> Iterator[Callable[..., Server]]:
    """Order a small micro server and wait for its job: ``order("kvm", name="web")``; deleted at the end."""
    made: list[Server] = []

    def make(
        host_type: str, *, wait: bool = True, with_key: bool = True, api: Api | None = None, **fields: Any
    ) -> Server:
        api = api or lab.admin
        body = {
            "name": f"{host_type}-{len(made) + 1}",
            "host_type": host_type,
            "vcpus": 1,
            "memory_mib": 256,
            "disk_gib": 1,
            "image": "micro",
            **({"ssh_keys": [lab.key.public]} if with_key else {}),
            **fields,
        }
        body = {name: value for name, value in body.items() if value is not None}
        accepted = api.post("/guests", body)
        server = Server(api, accepted["guest"]["id"], accepted, key=lab.key if with_key else None)
        made.append(server)
        if wait:
            api.done(accepted)
        return server

    yield make
    for server in made:
        if server.now()["lifecycle"] != "deleted":
            server.delete()
