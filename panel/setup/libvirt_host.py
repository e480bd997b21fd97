"""The machine's own hypervisors: the distribution's libvirtd where systemd runs it, a private one elsewhere."""

import socket
from dataclasses import dataclass
from pathlib import Path

from panel.setup.accounts import SERVICE_USER, join_group
from panel.setup.context import Context
from panel.setup.kvm_probe import kvm_usable
from panel.setup.layout import Layout
from panel.setup.private_libvirtd import PrivateLibvirtd
from panel.setup.processes import run
from panel.setup.system_hooks import SOURCES, hooks_install, hooks_seen

_SYSTEM_GROUP = "libvirt"


@dataclass(frozen=True)
class LibvirtHost:
    """How the panel reaches the machine's hypervisors, and a few words for the screen."""

    name: str
    kvm_uri: str
    lxc_uri: str
    words: str


def libvirt_ensure(context: Context) -> LibvirtHost:
    """Make libvirt answer, with our hook scripts in place."""
    name = socket.gethostname().partition(".")[0] or "localhost"
    if uses_systemd():
        changed = hooks_install(context.layout)
        join_group(_SYSTEM_GROUP)
        run(["systemctl", "restart" if changed else "start", "libvirtd.service"], failure="libvirtd does not start")
        hooks_seen()
        kvm_uri, lxc_uri, words = "qemu:///system", "lxc:///system", "the distribution's libvirtd"
    else:
        private = private_libvirtd(context.layout)
        private.start()
        kvm_uri, lxc_uri, words = private.kvm_uri, private.lxc_uri, f"private libvirtd in {private.directory}"
    for uri in (kvm_uri, lxc_uri):
        run(["virsh", "-q", "-c", uri, "version"], failure=f"libvirt does not answer at {uri}")
    return LibvirtHost(name, kvm_uri, lxc_uri, words)


def acceleration() -> str:
    """Say plainly how fast KVM guests will be."""
    if kvm_usable():
        return "KVM: hardware accelerated"
    return "no hardware virtualization — KVM servers are emulated: slow (containers run at full speed)"


def uses_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def private_libvirtd(layout: Layout) -> PrivateLibvirtd:
    """Return the private libvirtd of a checkout, running or not."""
    return PrivateLibvirtd(
        name=socket.gethostname().partition(".")[0] or "localhost",
        directory=layout.state / "libvirt",
        run_dir=layout.run_dir,
        hooks=layout.code / SOURCES,
        socket_group=SERVICE_USER,
    )
