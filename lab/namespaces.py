"""Network namespaces: made, wired and taken away by name. Every name starts with the run's own prefix."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.processes import LabError, call
from panel.setup.processes import in_namespace

_FOLDER = Path("/run/netns")
_END_TIMEOUT_S = 10.0
_CLONE_NEWNET = 0x40000000  # of sched.h; os.setns is newer than the oldest Python here


def netns_make(name: str) -> None:
    """Make a namespace with its loopback up; one of that name that exists is ended first."""
    netns_remove(name)
    call(["ip", "netns", "add", name])
    call(["ip", "link", "set", "lo", "up"], netns=name)


def netns_remove(name: str) -> None:
    """End every process in a namespace and remove it; what is not there is success."""
    path = _FOLDER / name
    if not path.exists():
        return
    found, own = path.stat(), os.stat("/proc/self/ns/net")
    # A name whose mount was lost is a plain file, on another device than namespaces are.
    if found.st_dev == own.st_dev and found.st_ino != own.st_ino:
        for process in [*in_namespace(found.st_ino, "net")]:
            process.end(timeout_s=_END_TIMEOUT_S)
    call(["ip", "netns", "delete", name], check=False)
    if path.exists():
        path.unlink()


def netns_with_prefix(prefix: str) -> Iterator[str]:
    """Yield the names of namespaces that start with ``prefix``."""
    if _FOLDER.is_dir():
        yield from sorted(path.name for path in _FOLDER.iterdir() if path.name.startswith(prefix))


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Move the calling thread, and what it starts, to a namespace until the block ends."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(os.open(_FOLDER / name, os.O_RDONLY | os.O_CLOEXEC))
        yield
    finally:
        _enter(home)


def _enter(namespace: int) -> None:
    """Enter a namespace by an open file of it, and close that."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.setns(namespace, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(namespace)


def bridge_make(name: str, *addresses: str, netns: str) -> None:
    """Make a bridge that is up, with these addresses (``10.0.0.1/24``) on it."""
    call(["ip", "link", "add", name, "type", "bridge"], netns=netns)
    address_add(name, *addresses, netns=netns)


def address_add(interface: str, *addresses: str, netns: str) -> None:
    """Give an interface addresses and switch it on."""
    for address in addresses:
        call(["ip", "address", "add", address, "dev", interface, *(["nodad"] if ":" in address else [])], netns=netns)
    call(["ip", "link", "set", interface, "up"], netns=netns)


def cable(left: tuple[str, str], right: tuple[str, str]) -> None:
    """Join two namespaces by a pair of interfaces, each ``(namespace, interface name)``."""
    (left_ns, left_if), (right_ns, right_if) = left, right
    if max(len(left_if), len(right_if)) > 15:
        raise LabError(f"interface names have at most 15 characters: {left_if} {right_if}")
    call(["ip", "link", "add", left_if, "netns", left_ns, "type", "veth", "peer", "name", right_if, "netns", right_ns])
