"""The guests and pools that a checkout has in libvirt, for ``make down``."""

import shutil
import time
from dataclasses import dataclass

from panel.setup.errors import SetupError
from panel.setup.layout import Layout
from panel.setup.libvirt_host import private_libvirtd, uses_systemd
from panel.setup.processes import run
from panel.setup.system_hooks import hooks_installed

_SHUTDOWN_S = 30.0
_SYSTEM_URIS = ("qemu:///system", "lxc:///system")
_SHARED_POOL = "innkeeper-console"  # of all checkouts: console logs, in libvirt's own folder


@dataclass(frozen=True)
class Running:
    """A running guest and the libvirt driver that has it."""

    uri: str
    uuid: str


def running_guests(layout: Layout) -> list[Running]:
    """Return the running guests of a checkout: those with a disk in its pool or a port on its bridge."""
    uris: tuple[str, ...] = _SYSTEM_URIS
    if shutil.which("virsh") is None:
        return []  # the set-up was cut before there was a libvirt
    if uses_systemd():
        if not hooks_installed(layout):
            return []  # or before it was told of us
    else:
        private = private_libvirtd(layout)
        if not private.is_running():
            return []
        private.start()
        uris = (private.kvm_uri, private.lxc_uri)
    return [Running(uri, domain) for uri in uris for domain in _domains(uri) if _is_ours(uri, domain, layout)]


def guests_stop(guests: list[Running]) -> str:
    """Ask every guest to shut down, wait, and cut the power of those that do not. Returns what was done, in words."""
    for guest in guests:
        _virsh(guest.uri, "shutdown", guest.uuid)
    deadline = time.monotonic() + _SHUTDOWN_S
    waiting = guests
    while waiting and time.monotonic() < deadline:
        still = {uri: set(_domains(uri)) for uri in {guest.uri for guest in waiting}}
        waiting = [guest for guest in waiting if guest.uuid in still[guest.uri]]
        time.sleep(0.5)
    for guest in waiting:
        _virsh(guest.uri, "destroy", guest.uuid)
    return f"Servers stopped: {len(guests)}; by cutting the power: {len(waiting)}." if guests else ""


def pools_stop(layout: Layout, *, shared_too: bool) -> None:
    """Stop a checkout's pools in the distribution's libvirt, so that they do not come back at a boot; files stay.

    The panel starts them again when it looks at the host. ``shared_too`` when no other checkout uses the shared one.
    """
    if shutil.which("virsh") is None:
        return
    uri = _SYSTEM_URIS[0]
    try:
        names = run(["virsh", "-q", "-c", uri, "pool-list", "--all", "--name"], failure="The pools cannot be listed")
    except SetupError:
        return  # no libvirtd answers, so it never had any of ours
    for name in names.split():
        described = run(["virsh", "-q", "-c", uri, "pool-dumpxml", name], failure="A pool cannot be read")
        if f"<path>{layout.state}/" in described or (shared_too and name == _SHARED_POOL):
            _virsh(uri, "pool-autostart", name, "--disable")
            _virsh(uri, "pool-destroy", name)


def _domains(uri: str) -> list[str]:
    return run(["virsh", "-q", "-c", uri, "list", "--uuid"], failure="The servers cannot be listed").split()


def _is_ours(uri: str, domain: str, layout: Layout) -> bool:
    if not uses_systemd():
        return True
    described = run(["virsh", "-q", "-c", uri, "dumpxml", domain], failure="A server cannot be read")
    return f"{layout.pool}/" in described or f"'{layout.bridge}'" in described


def _virsh(uri: str, *words: str) -> None:
    try:
        run(["virsh", "-q", "-c", uri, *words], failure="libvirt refuses")
    except SetupError:
        return  # it ended meanwhile, or has nothing that listens; the power is cut in the end
