"""What the panel adds to a create: POST to running, against the same libvirt calls made by hand in the same run.

Run as root: ``python -m bench.create_guest``. It builds a lab of its own (network namespace, libvirtd, panel) and
takes it away again. The raw calls use libvirt-python directly: volume, seed, define, create.
"""

import json
import os
import secrets
import shutil
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import libvirt

from hosts.drivers.libvirt.places import CONSOLE_DIRECTORY, console_log_name
from hosts.drivers.libvirt.transfer import upload_bytes
from hosts.drivers.libvirt.xml.common import HostPaths
from hosts.drivers.libvirt.xml.domain import domain_xml
from hosts.drivers.libvirt.xml.elements import to_text
from hosts.drivers.libvirt.xml.storage import volume_element
from hosts.drivers.seed import SeedRequest, seed_files
from hosts.drivers.seed_media import seed_ext4, seed_iso
from hosts.drivers.types import (
    AddressSpec,
    DiskSpec,
    DomainSpec,
    HostType,
    KernelSpec,
    NicSpec,
    VolumeFormat,
    VolumeRef,
)
from lab.client import Api
from lab.host import LabHost
from lab.namespaces import netns_make, netns_remove
from lab.panel import LabPanel

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqnbm2oPMlSbYTXyuMwJRLRmWKkHdGeSNKqKDfRBnE4 bench"
ROUNDS, CROWD, AT_ONCE = 9, 50, 8
GIB = 1024**3
_IMAGE = """
import json
from hosts.models import Image
image = Image.objects.get(slug="micro")
files = {file.role: file.volume_name for file in image.files.all()}
print(json.dumps({"files": files, "kernel_arguments": image.kernel_arguments}))
"""


class Raw:
    """The calls a person would make by hand on one host."""

    def __init__(self, uri: str, host_type: HostType, host: LabHost, pool: str, image: dict[str, Any]) -> None:
        self.conn = libvirt.open(uri)
        self.host_type, self.host, self.files = host_type, host, image["files"]
        self.kernel_arguments: str = image["kernel_arguments"]
        self.pool = self.conn.storagePoolLookupByName(pool)
        self._number = 0

    def create(self, *, anti_spoofing: bool = True) -> tuple[uuid.UUID, float, float]:
        """Make and start a guest. Returns its id, the seconds of all calls, and those of the start alone."""
        self._number += 1
        identity = uuid.uuid4()
        nic = NicSpec(
            mac="52:54:01:" + ":".join(f"{b:02x}" for b in secrets.token_bytes(3)),
            bridge=self.host.bridge,
            addresses=(AddressSpec(address=str(self.host.subnets.v4[-2 - self._number]), prefix=24),),
            anti_spoofing=anti_spoofing,
        )
        started = time.perf_counter()
        paths = self._volumes(identity, nic)
        spec = self._spec(identity, nic)
        xml = to_text(domain_xml(spec, HostPaths(volumes=paths, console_log=self._log(spec))))
        domain = self.conn.defineXML(xml)
        before_start = time.perf_counter()
        domain.create()
        now = time.perf_counter()
        return identity, now - started, now - before_start

    def remove(self, identity: uuid.UUID) -> None:
        """Take a guest away again."""
        domain = self.conn.lookupByUUID(identity.bytes)
        domain.destroy()
        domain.undefine()
        for name in (f"{identity}-root", f"{identity}-seed"):
            self.pool.storageVolLookupByName(name).delete()

    def _volumes(self, identity: uuid.UUID, nic: NicSpec) -> dict[VolumeRef, str]:
        container = self.host_type is HostType.LXC
        base = self.pool.storageVolLookupByName(self.files["lxc_root" if container else "kvm_disk"])
        root = volume_element(
            name=f"{identity}-root",
            format=VolumeFormat.RAW if container else VolumeFormat.QCOW2,
            capacity_bytes=GIB,
            backing_path=None if container else base.path(),
            backing_format=None if container else VolumeFormat.QCOW2,
        )
        if container:
            volume = self.pool.createXMLFrom(to_text(root), base)
            volume.resize(GIB)
        else:
            volume = self.pool.createXML(to_text(root))
        request = SeedRequest(
            hostname="raw", instance_id=str(identity), root_keys=(KEY,), root_password_hash=None, user_data="",
            nics=(nic,), dns_servers=(),
        )  # fmt: skip
        content = (seed_ext4 if container else seed_iso)(seed_files(request))
        element = volume_element(name=f"{identity}-seed", format=VolumeFormat.RAW, capacity_bytes=len(content))
        seed = self.pool.createXML(to_text(element))
        upload_bytes(self.conn, seed, content)
        paths = {self._ref(f"{identity}-root"): volume.path(), self._ref(f"{identity}-seed"): seed.path()}
        for role in ("kernel", "initrd"):
            paths[self._ref(self.files[role])] = self.pool.storageVolLookupByName(self.files[role]).path()
        return paths

    def _spec(self, identity: uuid.UUID, nic: NicSpec) -> DomainSpec:
        container = self.host_type is HostType.LXC
        kernel = KernelSpec(
            kernel=self._ref(self.files["kernel"]),
            initrd=self._ref(self.files["initrd"]),
            arguments=self.kernel_arguments,
        )
        disk = DiskSpec(
            volume=self._ref(f"{identity}-root"), format=VolumeFormat.RAW if container else VolumeFormat.QCOW2
        )
        return DomainSpec(
            id=identity, name="raw", host_type=self.host_type, vcpus=1, memory_mib=256, disks=(disk,), nics=(nic,),
            seed=self._ref(f"{identity}-seed"), kernel=None if container else kernel, emulated=True,
        )  # fmt: skip

    def _ref(self, name: str) -> VolumeRef:
        return VolumeRef(self.pool.name(), name)

    @staticmethod
    def _log(spec: DomainSpec) -> str:
        return f"{CONSOLE_DIRECTORY}/{console_log_name(spec.domain_name)}"


def by_panel(api: Api, host_type: HostType) -> tuple[str, float]:
    """Order a guest and wait until it runs. Returns its id and the seconds from POST to running."""
    body = {"name": "bench", "host_type": host_type, "vcpus": 1, "memory_mib": 256, "disk_gib": 1, "image": "micro"}
    started = time.perf_counter()
    made = api.post("/guests", {**body, "ssh_keys": [KEY]})
    api.done(made)
    return made["guest"]["id"], time.perf_counter() - started


def overhead(api: Api, raw: Raw) -> None:
    """Creates in turn, by hand and by the panel."""
    by_hand, panel = [], []
    for _ in range(ROUNDS):
        identity, seconds, _ = raw.create()
        by_hand.append(seconds)
        raw.remove(identity)
        guest, seconds = by_panel(api, raw.host_type)
        panel.append(seconds)
        api.done(api.delete(f"/guests/{guest}"))
    one, other = statistics.median(by_hand), statistics.median(panel)
    print(f"{raw.host_type}: by hand {one:.3f} s, panel {other:.3f} s, difference {other - one:+.3f} s")


def anti_spoofing_cost(raw: Raw) -> None:
    """Starts in turn, with and without the rules."""
    without: list[float] = []
    with_rules: list[float] = []
    for _ in range(ROUNDS):
        for collected, wanted in ((without, False), (with_rules, True)):
            identity, _, start = raw.create(anti_spoofing=wanted)
            collected.append(start)
            raw.remove(identity)
    one, other = statistics.median(without), statistics.median(with_rules)
    print(f"{raw.host_type} start: {one:.3f} s without rules, {other:.3f} s with, cost {other - one:+.3f} s")


def crowd(api: Api, raw: Raw) -> None:
    """Many containers, some at a time, by hand and by the panel."""
    hand_ids, hand_s = _crowd(lambda: raw.create()[0])
    for identity in hand_ids:
        raw.remove(identity)
    panel_ids, panel_s = _crowd(lambda: by_panel(api, raw.host_type)[0])
    for job in [api.delete(f"/guests/{guest}") for guest in panel_ids]:
        api.done(job)
    ratio = panel_s / hand_s
    print(f"{CROWD} containers, {AT_ONCE} at a time: by hand {hand_s:.1f} s, panel {panel_s:.1f} s, ratio {ratio:.2f}")


def _crowd(create: Callable[[], Any]) -> tuple[list[Any], float]:
    started = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        made = list(threads.map(lambda _: create(), range(CROWD)))
    return made, time.perf_counter() - started


def main() -> None:
    """Build the lab, measure, take it away."""
    name = f"ikb{secrets.token_hex(2)}"
    directory = Path(tempfile.mkdtemp(prefix="ikbench-", dir="/var/tmp"))
    netns_make(name)
    host = LabHost("bench-host", name, directory=directory / "host", run_dir=Path("/run", name))
    cache = Path(os.environ.get("INNKEEPER_CACHE", "/var/cache/innkeeper"))
    panel = LabPanel(
        directory=directory / "panel",
        run_dir=Path("/run", f"{name}p"),
        cache=cache,
        netns=None,
        port=18000 + secrets.randbelow(1000),
        settings={"API_RATE_LIMIT_PER_MINUTE": "1000000"},
    )
    try:
        host.start()
        panel.prepare()
        panel.enrol_host(host)
        panel.start()
        panel.wait_hosts()
        api = panel.api()
        make_room(api)
        said = panel.manage("starter_images", "micro").split()
        if "job" in said:
            api.done({"job": {"id": said[-1]}}, timeout_s=600)
        measure(api, host, panel)
    finally:
        panel.stop()
        host.stop()
        netns_remove(name)
        for path in (directory, Path("/run", name), Path("/run", f"{name}p")):
            shutil.rmtree(path, ignore_errors=True)


def make_room(api: Api) -> None:
    """Let the host sell as much as the crowd wants; what is idle needs little of it."""
    (found,) = api.get("/hosts")["results"]
    ratio = min(100, 2 * CROWD / found["cpus"])
    api.patch(f"/hosts/{found['id']}", {"cpu_overcommit": f"{ratio:.1f}", "memory_overcommit": "10"})


def measure(api: Api, host: LabHost, panel: LabPanel) -> None:
    """Print all figures."""
    for host_type in (HostType.KVM, HostType.LXC):  # the first of each copies the image
        guest, _ = by_panel(api, host_type)
        api.done(api.delete(f"/guests/{guest}"))
    image = json.loads(panel.manage("shell", "-v", "0", "-c", _IMAGE))
    (pool,) = api.get("/pools")["results"]
    raws = []
    for host_type, uri in ((HostType.KVM, host.libvirtd.kvm_uri), (HostType.LXC, host.libvirtd.lxc_uri)):
        raw = Raw(uri, host_type, host, pool["name"], image)
        raws.append(raw)
        overhead(api, raw)
    anti_spoofing_cost(raws[0])
    crowd(api, raws[1])
    print(subprocess.run(["uname", "-rm"], capture_output=True, text=True, check=True).stdout.strip())


if __name__ == "__main__":
    main()
