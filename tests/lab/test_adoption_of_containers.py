"""A container that somebody made with virsh, on a directory of the host, is taken over while it runs."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hosts.drivers.seed import SeedRequest, seed_files
from hosts.drivers.types import AddressSpec, NicSpec
from lab.guest import Login
from lab.server import Server, wait_until
from tests.foreign_container import container_xml, unpacked_root
from tests.lab.conftest import Lab
from tests.lab.test_adoption import cannot_steal, found, guards, virsh

NAME, MAC, ADDRESS = "legacy_ns.01", "52:54:00:0d:ad:02", "10.90.0.202"
Virsh = Callable[..., str]
pytestmark = pytest.mark.lxc


@pytest.fixture
def virsh_lxc(lab: Lab) -> Virsh:
    return partial(virsh, lab, uri=lab.host.libvirtd.lxc_uri)


@pytest.fixture(params=[True, False], ids=["user namespace", "no user namespace"])
def user_namespace(request: pytest.FixtureRequest) -> bool:
    separate: bool = request.param
    return separate


@pytest.fixture
def folder(lab: Lab) -> Path:
    return lab.host.directory / "legacy-ns"


@pytest.fixture
def legacy(lab: Lab, folder: Path, virsh_lxc: Virsh, user_namespace: bool) -> Iterator[uuid.UUID]:
    """A running container that the panel knows nothing of."""
    image = Path(os.environ["INNKEEPER_TEST_IMAGES"], "micro")
    file = json.loads((image / "manifest.json").read_text())["files"]["lxc_root"]["file"]
    unpacked_root(folder, image=image / file, user_namespace=user_namespace)
    address = AddressSpec(address=ADDRESS, prefix=24, gateway=str(lab.host.subnets.gateway_v4))
    nic = NicSpec(mac=MAC, bridge=lab.host.bridge, addresses=(address,))
    request = SeedRequest(hostname="legacy-ns", instance_id="legacy-1", root_keys=(lab.key.public,), nics=(nic,))
    for name, content in seed_files(request).files.items():
        path = folder / "rootfs/var/lib/cloud/seed/nocloud" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    identity = uuid.uuid4()
    xml = container_xml(
        name=NAME, uuid=identity, folder=folder, mac=MAC, bridge=lab.host.bridge, user_namespace=user_namespace,
        init="/sbin/init", addresses=(address,),
    )  # fmt: skip
    (folder / "domain.xml").write_text(xml)
    virsh_lxc("define", str(folder / "domain.xml"))
    virsh_lxc("start", NAME)
    yield identity
    for command in ("destroy", "undefine"):
        left = ["virsh", "-c", lab.host.libvirtd.lxc_uri, command, NAME]
        subprocess.run(left, capture_output=True, check=False)
    shutil.rmtree(folder)


def test_a_running_container_is_taken_over_and_is_one_like_any_other(
    lab: Lab, legacy: uuid.UUID, folder: Path, virsh_lxc: Virsh, user_namespace: bool
):
    login = Login(ADDRESS, key=lab.key)
    wait_until(login.works, "login to the legacy container", timeout_s=60)
    run, before, there = virsh_lxc("domid", NAME), virsh_lxc("dumpxml", "--inactive", NAME), lab.host.contents()

    row = found(lab, legacy)
    assert (row["label"], row["host_type"], row["found"]["user_namespace"]) == (NAME, "lxc", user_namespace)
    disks = [(disk["target"], disk["source"], disk["path"]) for disk in row["found"]["disks"]]
    assert disks == [("/", "directory", f"{folder}/rootfs"), ("/mnt", "directory", f"{folder}/shared")]
    accepted = _taken_over(lab, row, user_namespace=user_namespace, unchanged=lambda: _is(virsh_lxc, before))

    server = Server(lab.admin, str(legacy), accepted, key=lab.key)
    now = server.now()
    assert (now["lifecycle"], now["power_state"], now["disk_gib"]) == ("active", "running", 0)
    assert virsh_lxc("domid", NAME) == run  # the process that runs it: it was not stopped
    assert guards(lab, mac=MAC, address=ADDRESS) == {"vnet": ADDRESS}
    assert cannot_steal(login)
    login.run("echo kept > /mnt/kept; echo kept > /root/kept")

    server.act("reboot")
    server.wait_login()
    assert virsh_lxc("domid", NAME) != run
    assert guards(lab, mac=MAC, address=ADDRESS) == {"ik52": ADDRESS}
    assert cannot_steal(login)
    server.act("stop")
    refused = lab.admin.call("POST", f"/guests/{legacy}/actions/resize", {"disk_gib": 1})
    assert (refused.status, refused.body["errors"][0]["field"]) == (400, "disk_gib")
    server.act("resize", vcpus=2, memory_mib=384)
    server.act("start")
    server.wait_login()
    xml = virsh_lxc("dumpxml", NAME)
    assert ("<quota>200000</quota>" in xml, "393216</memory>" in xml, f"{folder}/shared" in xml) == (True, True, True)
    assert ("<idmap>" in xml) is user_namespace
    wait_until(lambda: _used(server) > 0, "what it uses is counted")
    assert [one for one in lab.admin.get("/differences")["results"] if one["host_type"] == "lxc"] == []

    server.delete()
    assert NAME not in virsh_lxc("list", "--all", "--name")
    assert guards(lab, mac=MAC) == {}
    lab.wait_empty(replace(there, domains=there.domains - {NAME}))
    assert ((folder / "shared/kept").read_text(), (folder / "rootfs/root/kept").read_text()) == ("kept\n", "kept\n")


def _taken_over(lab: Lab, row: dict[str, Any], *, user_namespace: bool, unchanged: Callable[[], bool]) -> Any:
    """Take it over; before that be told that its root may become the host's, where that is so."""
    customer = lab.admin.post("/customers", {"name": "Legacy", "email": "legacy@example.com"})
    path, body = f"/differences/{row['id']}/actions/adopt", {"customer": customer["id"], "name": "legacy-ns"}
    if not user_namespace:
        refused = lab.admin.call("POST", path, body)
        assert (refused.status, refused.body["errors"][0]["field"]) == (400, "accept_host_root")
        assert unchanged()
        body["accept_host_root"] = True
    accepted = lab.admin.post(path, body)
    lab.admin.done(accepted)
    return accepted


def _is(virsh_lxc: Virsh, before: str) -> bool:
    return virsh_lxc("dumpxml", "--inactive", NAME) == before


def _used(server: Server) -> float:
    series = server.api.get(f"/guests/{server.id}/metrics", range="1h")["series"]
    return sum(value or 0 for value in series["net_sent_bytes_per_s"])
