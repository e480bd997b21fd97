"""A real hypervisor host: a private libvirtd, a guests' bridge with its rules, a pool; and what is on it."""

import json
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from uuid import UUID

from hosts.drivers.types import domain_name
from lab.namespaces import bridge_make
from lab.processes import LabError, call
from panel.setup.guest_network import ruleset
from panel.setup.private_libvirtd import PrivateLibvirtd
from panel.setup.subnet import GuestSubnets

SUBNETS = GuestSubnets(IPv4Network("10.90.0.0/24"), IPv6Network("fd00:90::/64"))
BRIDGE = "inklab"
_TABLE = "innkeeper_lab"
# What the driver and libvirt call guests' interfaces, and a container's end of one that was not handed over.
_GUEST_LINKS = ("ik", "vnet", "veth", "macvtap")
_HOOKS = Path(__file__).parents[1] / "hosts" / "drivers" / "libvirt" / "hooks"
# Twice: what a container's root is mounted on is a mount too.
_UNMOUNT = (
    "for _ in 1 2; do awk '$2 ~ \"/innkeeper/mounts\" { print $2 }' /proc/mounts | sort -r | xargs -r umount -l; done"
)
# What the first guest brings and all later ones use.
_STANDING_POOL = "innkeeper-console"
_STANDING_RULES = {
    "",
    "}",
    "table bridge innkeeper {",
    "map guests {",
    "type ifname : verdict",
    "chain guard {",
    "type filter hook prerouting priority dstnat; policy accept;",
    "iifname vmap @guests",
}


@dataclass(frozen=True)
class HostContents:
    """What a host has beside its own system. Two of them are equal when nothing was left behind."""

    domains: frozenset[str]
    pools: frozenset[str]
    volumes: frozenset[str]
    ports: frozenset[str]
    rules: frozenset[str]
    mounts: frozenset[str]
    loops: frozenset[str]
    processes: frozenset[str]

    def more_than(self, other: "HostContents") -> dict[str, list[str]]:
        """Return what is here and was not in ``other``, by kind; empty when nothing is."""
        kinds = [one.name for one in fields(self)]
        found = {kind: sorted(getattr(self, kind) - getattr(other, kind)) for kind in kinds}
        return {kind: things for kind, things in found.items() if things}


@dataclass(frozen=True)
class LabHost:
    """One host in a network namespace that exists already.

    Attributes:
        directory: its disks and configuration; QEMU's user must be able to enter it.
        run_dir: a short path below ``/run``.
    """

    name: str
    netns: str
    directory: Path
    run_dir: Path
    bridge: str = BRIDGE
    subnets: GuestSubnets = field(default=SUBNETS)

    @property
    def libvirtd(self) -> PrivateLibvirtd:
        return PrivateLibvirtd(
            name=self.name,
            directory=self.directory / "libvirt",
            run_dir=self.run_dir,
            hooks=_HOOKS,
            netns=self.netns,
        )

    @property
    def pool(self) -> Path:
        return self.directory / "pool"

    def start(self) -> None:
        """Make bridge and rules, forward, start libvirtd. Raises: LabError, SetupError."""
        self.pool.mkdir(parents=True, mode=0o711)
        for folder in (self.directory, self.directory.parent):
            folder.chmod(0o711)
        bridge_make(self.bridge, *self.subnets.machine_addresses, netns=self.netns)
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"
        call(["sh", "-c", forward], netns=self.netns)
        rules = ruleset(table=_TABLE, bridge=self.bridge, subnets=self.subnets, ipv6=True, web_port=None)
        call(["nft", "-f", "-"], netns=self.netns, input=rules)
        self.libvirtd.start()

    def stop(self) -> None:
        """Cut the guests' power and end libvirtd; what is left in the namespace goes with it."""
        self.libvirtd.stop(guests=True)

    def restart(self) -> None:
        """Do to it what a power cut does: all that runs is gone, and all that a host forgets when it boots."""
        guests = [int(guest.split()[-1]) for guest in self._guest_processes()]
        inside = self.call("sh", "-c", "cat /sys/fs/cgroup/pids/innkeeper/*/guest/cgroup.procs").split()
        self.libvirtd.stop(guests=False)
        for pid in (*guests, *map(int, inside), int((self.run_dir / "virtlogd.pid").read_text())):
            with suppress(ProcessLookupError):  # a container ends with its init
                os.kill(pid, signal.SIGKILL)
        holder = json.loads((self.run_dir / "holder.json").read_text())["pid"]
        call(["nsenter", f"--target={holder}", "--mount", "sh", "-c", _UNMOUNT])
        call(["nft", "delete", "table", "bridge", "innkeeper"], netns=self.netns, check=False)
        shutil.rmtree(self.run_dir / "libvirt")
        shutil.rmtree(self.run_dir / "innkeeper-rules", ignore_errors=True)
        (self.run_dir / "innkeeper-boot").unlink()
        self.libvirtd.start()

    def contents(self) -> HostContents:
        """Look at everything a guest could leave behind. Images that the host keeps for the next one are no such."""
        pools = {(uri, pool) for uri in self._uris for pool in self._virsh(uri, "pool-list", "--all", "--name")}
        pools -= {(uri, _STANDING_POOL) for uri in self._uris}
        return HostContents(
            domains=frozenset(name for uri in self._uris for name in self._virsh(uri, "list", "--all", "--name")),
            pools=frozenset(pool for _, pool in pools),
            volumes=frozenset(
                path.name for path in self.pool.rglob("*") if path.is_file() and not path.name.startswith("image-")
            ),
            ports=frozenset(self._ports()),
            rules=frozenset(self._rules()),
            mounts=frozenset(self._mounts()),
            loops=frozenset(self._loops()),
            processes=frozenset(self._guest_processes()),
        )

    def runs(self, guest_id: str) -> bool:
        """True when the guest's domain is active."""
        return any(guest_id in self._virsh(uri, "list", "--uuid") for uri in self._uris)

    def kill(self, guest_id: str) -> None:
        """Kill what runs a guest, as the kernel does when memory is out: QEMU's process, or a container's init."""
        name = domain_name(UUID(guest_id))
        pid_file = self.run_dir / "libvirt" / "qemu" / f"{name}.pid"
        inside = self.call("cat", f"/sys/fs/cgroup/pids/innkeeper/{name}/guest/cgroup.procs").split()
        os.kill(int(pid_file.read_text()) if pid_file.exists() else min(map(int, inside)), signal.SIGKILL)

    def virsh_start(self, guest_id: str) -> None:
        """Start a guest by hand, behind the panel's back."""
        for uri in self._uris:
            if guest_id in self._virsh(uri, "list", "--all", "--uuid"):
                self._virsh(uri, "start", domain_name(UUID(guest_id)))

    def groups_of(self, guest_id: str) -> list[str]:
        """Return a guest's control groups. They are the kernel's, so those of other hosts of the machine show too."""
        short = UUID(guest_id).hex[:12]
        return [path for path in self.call("find", "/sys/fs/cgroup", "-type", "d").splitlines() if short in path]

    def processes_of(self, guest_id: str) -> tuple[int, int]:
        """Return how many processes a container has and how many it may have, from the group with the limit."""
        for group in self.groups_of(guest_id):
            limit = self.call("cat", f"{group}/pids.max").strip()
            if limit.isdigit():
                return int(self.call("cat", f"{group}/pids.current")), int(limit)
        raise LabError(f"guest {guest_id} has no limit on processes")

    def call(self, *command: str) -> str:
        """Run a command in libvirtd's namespaces and return what it printed; its failure is an empty answer."""
        pid = (self.run_dir / "libvirtd.pid").read_text().strip()
        return call(["nsenter", f"--target={pid}", "--mount", "--uts", "--net", *command], check=False)

    @property
    def _uris(self) -> tuple[str, str]:
        return self.libvirtd.kvm_uri, self.libvirtd.lxc_uri

    def _virsh(self, uri: str, *words: str) -> list[str]:
        return call(["virsh", "-q", "-c", uri, *words]).split()

    def _ports(self) -> list[str]:
        links = json.loads(call(["ip", "-j", "link", "show"], netns=self.netns))
        return [link["ifname"] for link in links if link["ifname"].startswith(_GUEST_LINKS)]

    def _rules(self) -> list[str]:
        listed = call(["nft", "--stateless", "list", "ruleset"], netns=self.netns).splitlines()
        return [line.strip() for line in listed if line.strip() not in _STANDING_RULES]

    def _mounts(self) -> list[str]:
        pid = (self.run_dir / "libvirtd.pid").read_text().strip()
        lines = Path(f"/proc/{pid}/mounts").read_text().splitlines()
        return [line for line in lines if line.split()[0].startswith("/dev/loop") or str(self.pool) in line]

    def _loops(self) -> list[str]:
        listed = json.loads(call(["losetup", "--json", "--list"]) or "{}")
        return [d["back-file"] for d in listed.get("loopdevices", []) if str(self.directory) in d["back-file"]]

    def _guest_processes(self) -> list[str]:
        pids = call(["ip", "netns", "pids", self.netns]).split()
        found = []
        for pid in pids:
            try:
                name = Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue
            if name.startswith(("qemu-system", "libvirt_lxc")):
                found.append(f"{name} {pid}")
        return found
