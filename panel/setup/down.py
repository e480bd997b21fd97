"""``make down``: stop everything, guests too, and leave the machine as it was found; data stays."""

import shutil
import sys
from collections.abc import Mapping

from panel.setup import packages
from panel.setup.errors import SetupError
from panel.setup.guest_network import network_remove
from panel.setup.layout import Layout
from panel.setup.libvirt_host import private_libvirtd, uses_systemd
from panel.setup.lock import stop
from panel.setup.running_guests import guests_stop, pools_stop, running_guests
from panel.setup.supervisor import Supervisor
from panel.setup.system_hooks import hooks_remove


def down(layout: Layout, environment: Mapping[str, str]) -> None:
    """Undo what ``make up`` made outside the state folder, however far it came. Whatever is gone already is success.

    Raises:
        SetupError: the person said no, or nobody is there to be asked.
    """
    if not layout.state.exists():
        print("Nothing to take down: this checkout was never up.")
        return
    guests = running_guests(layout)
    if guests and not _agreed(len(guests), forced=environment.get("FORCE", "") not in ("", "0")):
        raise SetupError("Nothing was stopped.")
    if stop(layout):
        print("Panel stopped.")
    Supervisor(register=layout.run_dir / "services.json", say=print).end_leftovers()
    stopped = guests_stop(guests)
    if stopped:
        print(stopped)
    if uses_systemd():
        last = hooks_remove(layout)
        pools_stop(layout, shared_too=last)
    else:
        private_libvirtd(layout).stop(guests=True)
    network_remove(layout)
    packages.restore_unless_busy()
    shutil.rmtree(layout.run_dir, ignore_errors=True)
    print(f"Servers, network and libvirt are down. Data stays in {layout.state}; images in {layout.cache}.")


def _agreed(count: int, *, forced: bool) -> bool:
    if forced:
        return True
    what = "1 server runs" if count == 1 else f"{count} servers run"
    if not sys.stdin.isatty():
        raise SetupError(f"{what}, and nobody is here to be asked whether to stop: make down FORCE=1 does not ask.")
    return input(f"{what} on this machine. Shut down and take everything down? [y/N] ").strip().lower() in ("y", "yes")
