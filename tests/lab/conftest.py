"""One lab for all tests of a run: host, outside, panel, image; and helpers to order servers."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.client import Api
from lab.guest import KeyPair, Login, key_make
from lab.host import LabHost
from lab.outside import Outside
from lab.panel import LabPanel

READY_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Lab:
    """Everything a test needs."""

    host: LabHost
    outside: Outside
    panel: LabPanel
    admin: Api
    key: KeyPair

    def wait_image(self, slug: str, *, timeout_s: float = 120) -> None:
        """Order a starter image whose files are built, and wait until it can be ordered."""
        self.panel.manage("starter_images", slug)
        wait_until(lambda: self._image_state(slug) == "ready", f"image {slug}", timeout_s=timeout_s)

    def _image_state(self, slug: str) -> str:
        answer = self.admin.call("GET", f"/images/{slug}")
        return str(answer.body["state"]) if answer.status == 200 else ""


@dataclass
class Server:
    """A guest that was ordered through the API."""

    api: Api
    id: str
    order: dict[str, Any] = field(repr=False)
    key: KeyPair | None = None

    def now(self) -> dict[str, Any]:
        """Return the guest as the API shows it now."""
        found: dict[str, Any] = self.api.get(f"/guests/{self.id}")
        return found

    def address(self, family: int = 4) -> str:
        return next(a["address"] for a in self.order["guest"]["addresses"] if a["family"] == family)

    @property
    def mac(self) -> str:
        return str(self.order["guest"]["addresses"][0]["mac"])

    def login(self, family: int = 4) -> Login:
        """Return root's way in: the key it was ordered with, else its password."""
        return Login(self.address(family), key=self.key, password=self.order.get("root_password") or "")

    def act(self, action: str, **body: Any) -> dict[str, Any]:
        """Ask for an action and wait for its success; return the job."""
        return self.api.done(self.api.post(f"/guests/{self.id}/actions/{action}", body))

    def delete(self) -> None:
        self.api.done(self.api.delete(f"/guests/{self.id}"))

    def wait_login(self, *, timeout_s: float = READY_TIMEOUT_S) -> Login:
        """Wait until root can log in."""
        wait_until(self.login().works, f"login to {self.now()['name']}", timeout_s=timeout_s)
        return self.login()


def wait_until(condition: Callable[[], Any], what: str, *, timeout_s: float = 60, poll_s: float = 0.3) -> float:
    """Wait for a condition and return the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, f"{what}: not within {timeout_s} s"
        time.sleep(poll_s)
    return time.monotonic() - began


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
        panel.enrol(host)
        panel.start()
        built = Lab(host, outside, panel, panel.api(), key_make(state / "keys"))
        built.wait_image("micro")
        yield built
    finally:
        panel.stop()
        host.stop()
        outside.stop()
        shutil.copytree(panel.logs, log / "lab", dirs_exist_ok=True)
        shutil.copytree(host.directory / "libvirt" / "log", log / "lab-libvirt", dirs_exist_ok=True)


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
