"""A server that somebody made with virsh is taken over while it runs, and then is one like any other."""

import json
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hosts.drivers.libvirt import LibvirtDriver
from hosts.drivers.seed import SeedRequest, seed_files
from hosts.drivers.seed_media import seed_iso
from hosts.drivers.types import AddressSpec, DomainSpec, HostType, NicSpec
from lab.guest import Login
from lab.server import Server, wait_until
from tests.lab.conftest import Lab

NAME, MAC, ADDRESS = "legacy_web.01", "52:54:00:0d:ad:01", "10.90.0.200"
_XML = """
<domain type="qemu">
  <name>{name}</name><uuid>{uuid}</uuid><memory unit="MiB">256</memory><vcpu>1</vcpu>
  <os><type arch="x86_64" machine="q35">hvm</type><kernel>{folder}/kernel</kernel><initrd>{folder}/initrd</initrd>
    <cmdline>{arguments}</cmdline></os>
  <features><acpi/></features><cpu mode="maximum"/>
  <devices>
    <disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="{folder}/web.qcow2"/>
      <target dev="vda" bus="virtio"/></disk>
    <disk type="file" device="disk"><driver name="qemu" type="raw"/><source file="{folder}/seed.iso"/>
      <target dev="vdb" bus="virtio"/><readonly/></disk>
    <disk type="block" device="disk"><driver name="qemu" type="raw"/><source dev="{device}"/>
      <target dev="vdc" bus="virtio"/></disk>
    <disk type="network" device="disk"><driver name="qemu" type="raw"/><source protocol="nbd" name="remote">
      <host name="127.0.0.1" port="10809"/></source><target dev="vdd" bus="virtio"/></disk>
    <interface type="bridge"><mac address="{mac}"/><source bridge="{bridge}"/><model type="virtio"/></interface>
    <serial type="pty"/><watchdog model="i6300esb" action="reset"/>
  </devices>
</domain>
"""


def virsh(lab: Lab, *words: str, uri: str = "") -> str:
    command = ["virsh", "-q", "-c", uri or lab.host.libvirtd.kvm_uri, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def legacy(lab: Lab) -> Iterator[uuid.UUID]:
    """A running server that the panel knows nothing of, with a block device and a network disk beside its files."""
    folder = lab.host.directory / "legacy"
    folder.mkdir(mode=0o711)
    image = Path(os.environ["INNKEEPER_TEST_IMAGES"], "micro")
    manifest = json.loads((image / "manifest.json").read_text())
    for role, name in (("kvm_disk", "web.qcow2"), ("kernel", "kernel"), ("initrd", "initrd")):
        shutil.copy(image / manifest["files"][role]["file"], folder / name)
    subprocess.run(["qemu-img", "resize", "-q", "-f", "qcow2", str(folder / "web.qcow2"), "1G"], check=True)
    address = AddressSpec(address=ADDRESS, prefix=24, gateway=str(lab.host.subnets.gateway_v4))
    nic = NicSpec(mac=MAC, bridge=lab.host.bridge, addresses=(address,))
    request = SeedRequest(hostname="legacy", instance_id="legacy-1", root_keys=(lab.key.public,), nics=(nic,))
    (folder / "seed.iso").write_bytes(seed_iso(seed_files(request)))
    subprocess.run(["truncate", "-s", "64M", str(folder / "data.img"), str(folder / "remote.img")], check=True)
    server = ["qemu-nbd", "--fork", "--persistent", "--format=raw", "--bind=127.0.0.1", "--export-name=remote"]
    lab.host.call(*server, f"--pid-file={folder}/nbd.pid", str(folder / "remote.img"))
    attach = ["losetup", "--find", "--show", str(folder / "data.img")]
    device = subprocess.run(attach, capture_output=True, text=True, check=True).stdout.strip()
    identity = uuid.uuid4()
    xml = _XML.format(
        name=NAME, uuid=identity, folder=folder, device=device, mac=MAC, bridge=lab.host.bridge,
        arguments=manifest["kernel_arguments"],
    )  # fmt: skip
    (folder / "domain.xml").write_text(xml)
    virsh(lab, "define", str(folder / "domain.xml"))
    virsh(lab, "start", NAME)
    yield identity
    subprocess.run(["virsh", "-c", lab.host.libvirtd.kvm_uri, "destroy", NAME], capture_output=True, check=False)
    subprocess.run(["virsh", "-c", lab.host.libvirtd.kvm_uri, "undefine", NAME], capture_output=True, check=False)
    subprocess.run(["losetup", "--detach", device], check=True)
    os.kill(int((folder / "nbd.pid").read_text()), signal.SIGTERM)
    shutil.rmtree(folder)


def boot_of(login: Login) -> str:
    return login.run("cat /proc/sys/kernel/random/boot_id")


def found(lab: Lab, identity: uuid.UUID) -> dict[str, Any]:
    """Have the host checked, and return what it found of the domain."""
    (host,) = lab.admin.get("/hosts")["results"]
    lab.admin.done(lab.admin.post(f"/hosts/{host['id']}/actions/check", {}))
    rows = lab.admin.get("/differences", kind="domain-without-guest")["results"]
    return next(row for row in rows if row["object_id"] == str(identity))


@pytest.mark.kvm
def test_a_running_server_is_taken_over_and_is_one_like_any_other(lab: Lab, legacy: uuid.UUID):
    login = Login(ADDRESS, key=lab.key)
    wait_until(login.works, "login to the legacy server", timeout_s=180)
    boot, before = boot_of(login), virsh(lab, "dumpxml", "--inactive", NAME)

    row = found(lab, legacy)
    assert (row["kind"], row["label"], row["found"]["running"]) == ("domain-without-guest", NAME, True)
    disks = row["found"]["disks"]
    assert [disk["source"] for disk in disks] == ["file", "file", "block", "network"]
    assert [disk["path"].rpartition("/")[2] for disk in disks[:2]] == ["web.qcow2", "seed.iso"]
    assert [disk["capacity_bytes"] for disk in disks[2:]] == [64 << 20] * 2
    customer = lab.admin.post("/customers", {"name": "Legacy", "email": "legacy@example.com"})
    path, body = f"/differences/{row['id']}/actions/adopt", {"customer": customer["id"], "name": "legacy"}
    refused = lab.admin.call("POST", path, body)
    assert (refused.status, refused.body["errors"][0]["field"]) == (400, f"nics.{MAC}")
    assert virsh(lab, "dumpxml", "--inactive", NAME) == before
    accepted = lab.admin.post(path, {**body, "nics": [{"mac": MAC, "addresses": [ADDRESS]}]})
    lab.admin.done(accepted)

    server = Server(lab.admin, str(legacy), accepted, key=lab.key)
    now = server.now()
    assert (now["lifecycle"], now["power_state"], now["name"]) == ("active", "running", "legacy")
    assert now["disk_gib"] == 3
    login.run("echo kept > /dev/vdc; echo kept > /dev/vdd; sync")
    assert boot_of(login) == boot  # it was not stopped
    assert guards(lab) == {"vnet": ADDRESS}
    assert "watchdog" in virsh(lab, "dumpxml", "--inactive", NAME)
    assert cannot_steal(login)

    server.act("reboot")
    server.wait_login()
    assert boot_of(login) != boot
    assert guards(lab) == {"ik52": ADDRESS}
    server.act("stop")
    server.act("resize", vcpus=2, memory_mib=384, disk_gib=4)
    server.act("start")
    sizes = server.wait_login().run("grep -c ^processor /proc/cpuinfo; cat /sys/block/vda/size").split()
    assert sizes == ["2", str(2 << 21)]
    assert "watchdog" in virsh(lab, "dumpxml", "--inactive", NAME)
    assert [one["object_id"] for one in lab.admin.get("/differences")["results"]] == []

    server.delete()
    assert NAME not in virsh(lab, "list", "--all", "--name")
    folder = lab.host.directory / "legacy"
    left = ["data.img", "domain.xml", "initrd", "kernel", "nbd.pid", "remote.img", "seed.iso"]
    assert sorted(path.name for path in folder.iterdir()) == left
    for name in ("data.img", "remote.img"):
        assert (folder / name).read_bytes().startswith(b"kept\n")
    assert guards(lab) == {}


def guards(lab: Lab, *, mac: str = MAC, address: str = ADDRESS) -> dict[str, str]:
    """Return a legacy server's chain: the first letters of its interface, and its address."""
    listing = lab.host.call("nft", "list", "table", "bridge", "innkeeper")
    chains = [part for part in listing.split("chain ") if mac in part]
    return {part.split(" ")[0].rpartition("_")[2][:4]: address if address in part else "" for part in chains}


def cannot_steal(login: Login, other: str = "10.90.0.201") -> bool:
    """Have a server send from an address that is not its own; True when nothing comes back."""
    said = login.run(
        f"ip addr add {other}/24 dev eth0; ping -c 2 -W 1 -I {other} 10.90.0.1; ip addr del {other}/24 dev eth0",
        check=False,
    )
    return "2 packets transmitted" in said and " 0% packet loss" not in said


@pytest.mark.kvm
def test_a_take_over_is_undone_without_a_trace(lab: Lab, legacy: uuid.UUID):
    driver = LibvirtDriver(HostType.KVM, lab.host.libvirtd.kvm_uri)
    before, live = virsh(lab, "dumpxml", "--inactive", NAME), virsh(lab, "dumpxml", NAME)
    nic = NicSpec(mac=MAC, bridge=lab.host.bridge, addresses=(AddressSpec(address=ADDRESS, prefix=24),))
    spec = DomainSpec(
        id=legacy, name="legacy", host_type=HostType.KVM, vcpus=1, memory_mib=256, disks=(), nics=(nic,), emulated=True
    )
    configuration = driver.domain_configuration(legacy)
    for _ in range(2):
        driver.domain_take_over(spec)
    (seen,) = driver.domain_describe(legacy).nics
    assert (seen.anti_spoofing, seen.guarded, seen.addresses) == (True, True, (ADDRESS,))
    assert driver.domain_is_current(spec)
    lab.host.call("nft", "delete", "table", "bridge", "innkeeper")
    assert [one.guarded for one in driver.domain_describe(legacy).nics] == [False]
    assert driver.domain_protect(legacy)
    assert [one.guarded for one in driver.domain_describe(legacy).nics] == [True]
    driver.domain_let_go(legacy, configuration=configuration)
    assert virsh(lab, "dumpxml", "--inactive", NAME) == before
    assert virsh(lab, "dumpxml", NAME).replace("  <metadata/>\n", "") == live
    assert guards(lab) == {}
    driver.close()
