"""``make up`` on a machine of its own: cut anywhere it goes on, ``git pull`` migrates, ``make down`` leaves nothing."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hosts.imagebuild.recipes import recipe_key
from lab.client import FINAL, Api
from lab.guest import KeyPair, key_make
from lab.machine import Machine, MachineContents, interrupt
from lab.namespaces import inside
from lab.server import Server, wait_until
from panel.setup.processes import ProcessRef
from panel.setup.supervisor import registered

pytestmark = [pytest.mark.lxc, pytest.mark.timeout(900)]
CHECKOUT = Path(__file__).parents[2]
READY = "Stop      Ctrl-C"
FULL = "INNKEEPER_TEST_FULL" in os.environ
# Where Ctrl-C is pressed: so many seconds after a step's line began. Slower machines are at an earlier point of it.
CUTS = [("Database", 0.3), ("Tables", 1.5), ("libvirt ", 0.1), ("First administrator", 0.1), ("Panel", 0.5)]
if FULL:
    CUTS = [
        *[("Folders and secrets", 0.0), ("Database", 0.3), ("Database", 1.0), ("Redis", 0.05), ("Tables", 1.5)],
        *[("Tables", 4.0), ("Static files", 0.3), ("libvirt ", 0.1), ("Guest network", 0.0)],
        *[("This machine as host", 0.1), ("First administrator", 0.1), ("Starter images", 0.0), ("Panel", 0.5)],
    ]
MIGRATION = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "{after}")]
    operations = [migrations.RunSQL("CREATE TABLE pulled (at timestamptz)")]
"""


class Site:
    """The machine, what was on it before, and everything that ``make up`` printed so far."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.before: MachineContents = machine.contents()
        self.printed = ""
        self.has_packages = False

    def cut(self, title: str, after_s: float) -> None:
        """Begin ``make up`` and press Ctrl-C at a step; it must end soon, and end what it had started."""
        process = self.machine.begin("up")
        shown = process.log.read_text
        wait_until(lambda: title in shown() or not process.is_alive, f"the step {title}", timeout_s=120, poll_s=0.02)
        status = process.wait(timeout_s=after_s)
        assert status is None, f"make up ended by itself with {status}:\n{shown()}"
        interrupt(process)
        status = process.wait(timeout_s=60)
        self.printed += shown()
        assert status is not None, f"make up does not end after Ctrl-C:\n{shown()}"
        assert "Traceback" not in shown()
        assert "Interrupted; make up continues where it was" in shown() or READY in shown(), shown()
        assert self.services() == {}
        left = [line for line in self.machine.processes() if "libvirtd" not in line and "virtlogd" not in line]
        assert [line for line in left if "sleep infinity" not in line] == []

    def lend_packages(self) -> None:
        """Put the test run's Python packages where pip would have installed them."""
        if not self.has_packages:
            self.machine.lend(CHECKOUT / ".venv", self.machine.state / "venv")
            self.has_packages = True

    def up(self) -> str:
        """Set up to the end, in the background."""
        self.lend_packages()
        said = self.machine.make("up", "DETACH=1")
        self.printed += said
        assert READY in said, said
        return said

    def services(self) -> dict[str, ProcessRef]:
        return registered(self.machine.run_dir / "services.json")

    def api(self) -> Api:
        return Api("127.0.0.1", 8000, self.machine.make("-s", "token").strip())

    def up_once(self) -> None:
        """Set up unless it is up."""
        if not self.services():
            self.up()

    def wait_orderable(self) -> Api:
        """Wait until servers can be ordered; return the API."""
        api = self.api()
        (host,) = api.get("/hosts")["results"]
        wait_until(lambda: api.get(f"/hosts/{host['id']}")["state"] == "active", "the host is looked at")
        wait_until(lambda: api.get("/images/micro")["state"] == "ready", "the image", timeout_s=120)
        return api


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A machine with a clone that was never set up; this process is in its network."""
    name = f"{os.environ['INNKEEPER_TEST_NAME']}-u"
    state = Path(os.environ["INNKEEPER_TEST_STATE"])
    machine = Machine(name, directory=state / "up", logs=state / "log" / "up", checkout=CHECKOUT)
    try:
        machine.start()
        machine.lend(CHECKOUT / "node_modules", machine.clone / "node_modules")
        micro = Path(os.environ["INNKEEPER_TEST_IMAGES"], "micro")
        shutil.copytree(micro, machine.cache / "images" / f"micro-{recipe_key('micro')}")
        with inside(name):
            try:
                yield Site(machine)
            finally:  # also after a run of some of these tests, or a failure: its servers outlive everything else
                machine.make("down", "FORCE=1")
    finally:
        machine.stop()


@pytest.fixture
def panel(site: Site) -> Site:
    """The machine with the panel up."""
    site.up_once()
    return site


@pytest.fixture(scope="module")
def key(site: Site, tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return key_make(tmp_path_factory.mktemp("keys"))


def order_make(api: Api, name: str, key: KeyPair) -> dict[str, Any]:
    """Order a small container; return what the API answered."""
    size = {"vcpus": 1, "memory_mib": 128, "disk_gib": 1}
    body = {"name": name, "host_type": "lxc", "image": "micro", "ssh_keys": [key.public], **size}
    accepted: dict[str, Any] = api.post("/guests", body)
    return accepted


@pytest.fixture(scope="module")
def server(site: Site, key: KeyPair) -> Server:
    """A server that runs."""
    site.up_once()
    api = site.wait_orderable()
    accepted = order_make(api, "kept", key)
    api.done(accepted)
    server = Server(api, accepted["guest"]["id"], accepted, key=key)
    server.wait_login()
    return server


def test_cut_in_the_middle_of_anything_it_goes_on(site: Site):
    site.cut("Python packages", 1.0)  # the environment is half made
    assert (site.machine.state / "venv").is_dir()
    site.lend_packages()
    for title, after_s in CUTS:
        site.cut(title, after_s)

    said = site.up()
    assert "[18/18] Panel" in said
    assert "make up " in site.machine.make("status")
    assert "not running" not in site.machine.make("status")
    assert re.search(r"Password  \S{20}", site.printed), "the first password was never shown"
    site.wait_orderable()


def test_a_second_one_beside_it_changes_nothing(panel: Site):
    services = panel.services()
    assert "Innkeeper runs already" in panel.machine.make("up", "DETACH=1")
    assert panel.services() == services


def test_after_git_pull_it_migrates_with_jobs_queued(panel: Site, key: KeyPair):
    api = panel.wait_orderable()
    worker = panel.services()["worker"]
    os.killpg(worker.pid, signal.SIGSTOP)  # so the order stays queued
    order = order_make(api, "queued", key)
    newest = sorted((panel.machine.clone / "panel" / "core" / "migrations").glob("0*.py"))[-1].stem
    panel.machine.pull("panel/core/migrations/9999_pulled.py", MIGRATION.format(after=newest))
    assert api.get(f"/jobs/{order['job']['id']}")["status"] not in FINAL

    said = panel.up()
    assert "The code has changed since the panel was started: stopping the old one first" in said
    assert "1 migrations applied" in said
    assert not worker.is_alive()
    api = panel.api()
    api.done(order)
    server = Server(api, order["guest"]["id"], order, key=key)
    assert server.wait_login().run("hostname") == "queued"


def test_stopped_and_started_again_servers_run_on(panel: Site, server: Server):
    booted = server.login().run("stat -c %Y /proc/1")
    assert panel.machine.make("stop") == "Stopped; servers run on.\n"
    assert panel.services() == {}
    assert server.login().run("stat -c %Y /proc/1") == booted
    panel.up()
    assert server.login().run("stat -c %Y /proc/1") == booted


def test_make_down_leaves_the_machine_as_it_was_found(panel: Site):
    assert "Servers, network and libvirt are down" in panel.machine.make("down", "FORCE=1")
    assert panel.machine.contents().differs_from(panel.before) == {}
    assert "Servers, network and libvirt are down" in panel.machine.make("down")
    panel.up()
    panel.machine.make("down")
    assert panel.machine.contents().differs_from(panel.before) == {}
