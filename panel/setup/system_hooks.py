"""Our hook scripts in the distribution's libvirt: one set for all checkouts of the machine.

They are the same for every guest, and libvirt runs each hook for every domain, so a set for each checkout would treat
every guest twice. The checkouts that use the set are noted beside it; it goes with the last of them.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from panel.setup.layout import Layout
from panel.setup.libvirtd_files import put
from panel.setup.machine_lock import machine_lock

SOURCES = Path("hosts/drivers/libvirt/hooks")
_HOOKS = Path("/etc/libvirt/hooks")
_DRIVERS = ("lxc", "qemu")
_CONTROLLER = "innkeeper_lxc"  # named in every container's XML, so its place is fixed


def hooks_install(layout: Layout) -> bool:
    """Install our hooks beside the administrator's. Returns whether libvirtd must start anew to see them.

    libvirt runs every executable of ``hooks/DRIVER.d``, in order of their names, so only a link goes there; the files
    are in a folder of ours.
    """
    own = _own()
    with machine_lock("hooks"):
        (own / "users").mkdir(mode=0o755, parents=True, exist_ok=True)
        (own / "users" / layout.id).write_text(f"{layout.checkout}\n")
        pending = own / "pending"
        sources = {path.name: path for path in (layout.code / SOURCES).iterdir() if path.is_file()}
        controller = sources.pop(_CONTROLLER)
        changed = [put(own / name, source.read_bytes(), mode=0o755) for name, source in sorted(sources.items())]
        changed.append(put(_HOOKS / _CONTROLLER, controller.read_bytes(), mode=0o755))
        changed += [_link(driver) for driver in _DRIVERS]
        for stale in own.iterdir():
            if stale.is_file() and stale.name not in {*sources, pending.name}:
                stale.unlink()
        if any(changed):
            pending.touch()
        return pending.exists()


def hooks_seen() -> None:
    """Note that libvirtd was started after the hooks were installed."""
    (_own() / "pending").unlink(missing_ok=True)


def hooks_installed(layout: Layout) -> bool:
    """True when a checkout uses the hooks, that is, came as far as libvirt when it was set up."""
    return (_own() / "users" / layout.id).exists()


def hooks_remove(layout: Layout) -> bool:
    """Give up a checkout's use of the hooks; libvirtd forgets them when it starts the next time.

    Returns whether they are gone, because no other checkout uses them.
    """
    own = _own()
    with machine_lock("hooks"):
        (own / "users" / layout.id).unlink(missing_ok=True)
        if any(Path(user.read_text().strip()).is_dir() for user in own.glob("users/*")):
            return False
        for driver in _DRIVERS:
            folder = _HOOKS / f"{driver}.d"
            (folder / own.name).unlink(missing_ok=True)
            with suppress(OSError):  # not there, or somebody else's hooks are in it
                folder.rmdir()
        (_HOOKS / _CONTROLLER).unlink(missing_ok=True)
        shutil.rmtree(own, ignore_errors=True)
    return True


def _own() -> Path:
    return _HOOKS / "innkeeper"


def _link(driver: str) -> bool:
    link, target = _HOOKS / f"{driver}.d" / _own().name, _own() / driver
    link.parent.mkdir(mode=0o755, exist_ok=True)
    if link.is_symlink() and link.readlink() == target:
        return False
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    return True
