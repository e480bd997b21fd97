"""``make down``: stop everything, guests too, and leave the machine as it was found; data stays."""

import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from panel.setup import detached, packages
from panel.setup.errors import SetupError
from panel.setup.guest_network import network_remove
from panel.setup.layout import Layout
from panel.setup.libvirt_host import private_libvirtd, uses_systemd
from panel.setup.processes import run
from panel.setup.supervisor import Supervisor
from panel.setup.system_hooks import hooks_remove

_SHUTDOWN_S = 30.0


@dataclass(frozen=True)
class _Guest:
    uri: str
    uuid: str


def down(layout: Layout, environment: Mapping[str, str]) -> None:
    """Undo what ``make up`` made outside the state folder. Whatever is gone already is success.

    Raises:
        SetupError: the person said no, or nobody is there to be asked.
    """
    if not layout.state.exists():
        print("Nothing to take down: this checkout was never up.")
        return
    guests = _running_guests(layout)
    if guests and not _agreed(len(guests), forced=environment.get("FORCE", "") not in ("", "0")):
        raise SetupError("Nothing was stopped.")
    if detached.stop(layout):
        print("Panel stopped.")
    Supervisor(register=layout.run_dir / "services.json", say=print).end_leftovers()
    _stop_guests(guests)
    if uses_systemd():
        hooks_remove(layout)
    else:
        private_libvirtd(layout).stop(guests=True)
    network_remove(layout)
    packages.restore_leftovers()
    shutil.rmtree(layout.run_dir, ignore_errors=True)
    print(f"Servers, network and libvirt are down. Data stays in {layout.state}; images in {layout.cache}.")


def _running_guests(layout: Layout) -> list[_Guest]:
    """Return the running guests of this checkout: those with a disk in its pool or a port on its bridge."""
    if uses_systemd():
        uris = ["qemu:///system", "lxc:///system"]
    else:
        private = private_libvirtd(layout)
        if not private.is_running():
            return []
        private.start()
        uris = [private.kvm_uri, private.lxc_uri]
    return [_Guest(uri, domain) for uri in uris for domain in _domains(uri) if _is_ours(uri, domain, layout)]


def _domains(uri: str) -> list[str]:
    return run(["virsh", "-q", "-c", uri, "list", "--uuid"], failure="The servers cannot be listed").split()


def _is_ours(uri: str, domain: str, layout: Layout) -> bool:
    if not uses_systemd():
        return True
    described = run(["virsh", "-q", "-c", uri, "dumpxml", domain], failure="A server cannot be read")
    return f"{layout.pool}/" in described or f"'{layout.bridge}'" in described


def _agreed(count: int, *, forced: bool) -> bool:
    if forced:
        return True
    what = "1 server runs" if count == 1 else f"{count} servers run"
    if not sys.stdin.isatty():
        raise SetupError(f"{what}, and nobody is here to be asked whether to stop: make down FORCE=1 does not ask.")
    return input(f"{what} on this machine. Shut down and take everything down? [y/N] ").strip().lower() in ("y", "yes")


def _stop_guests(guests: list[_Guest]) -> None:
    """Ask every guest to shut down, wait, and cut the power of those that do not."""
    for guest in guests:
        _virsh(guest, "shutdown")
    deadline = time.monotonic() + _SHUTDOWN_S
    waiting = guests
    while waiting and time.monotonic() < deadline:
        still = {uri: set(_domains(uri)) for uri in {guest.uri for guest in waiting}}
        waiting = [guest for guest in waiting if guest.uuid in still[guest.uri]]
        time.sleep(0.5)
    for guest in waiting:
        _virsh(guest, "destroy")
    if guests:
        print(f"Servers stopped: {len(guests)}; by cutting the power: {len(waiting)}.")


def _virsh(guest: _Guest, verb: str) -> None:
    try:
        run(["virsh", "-q", "-c", guest.uri, verb, guest.uuid], failure="libvirt refuses")
    except SetupError:
        return  # it ended meanwhile, or has nothing that listens; the power is cut in the end
