"""The machine's own hypervisors: the distribution's libvirtd where systemd runs it, a private one elsewhere."""

import filecmp
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from panel.setup.accounts import SERVICE_USER, join_group
from panel.setup.context import Context
from panel.setup.kvm_probe import kvm_usable
from panel.setup.layout import Layout
from panel.setup.private_libvirtd import PrivateLibvirtd
from panel.setup.processes import run

_HOOKS = Path("hosts/drivers/libvirt/hooks")
_SYSTEM_HOOKS = Path("/etc/libvirt/hooks")
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
        hooks=layout.code / _HOOKS,
        socket_group=SERVICE_USER,
    )


def hooks_install(layout: Layout) -> bool:
    """Install our hooks beside the administrator's. Returns whether libvirtd must start anew to see them.

    libvirt runs every executable of ``hooks/TYPE.d``, in order of their names, so only a link goes there; the files
    are in a folder of ours.
    """
    own = _SYSTEM_HOOKS / f"innkeeper-{layout.id}"
    own.mkdir(mode=0o755, parents=True, exist_ok=True)
    changed = False
    for source in sorted(path for path in (layout.code / _HOOKS).iterdir() if path.is_file()):
        target = own / source.name
        if not target.exists() or not filecmp.cmp(source, target, shallow=False):
            shutil.copyfile(source, target)
            target.chmod(0o755)
            changed = True
        if not source.suffix:  # libvirt's hooks are named after a driver, their modules end in .py
            link = _SYSTEM_HOOKS / f"{source.name}.d" / own.name
            link.parent.mkdir(mode=0o755, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(target)
                changed = True
    return changed


def hooks_remove(layout: Layout) -> None:
    """Take our hooks out of the distribution's libvirt; it forgets them when it starts the next time."""
    for link in _SYSTEM_HOOKS.glob(f"*.d/innkeeper-{layout.id}"):
        link.unlink()
    shutil.rmtree(_SYSTEM_HOOKS / f"innkeeper-{layout.id}", ignore_errors=True)
