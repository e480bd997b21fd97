"""Which sockets a libvirt connection has: libvirt has no call that names them, and only they can be shut down.

A socket that opened while ``libvirt.open`` ran and leads to its host is the connection's. Another thread may open
one to the same host meanwhile, so they take turns; but nobody waits long for a host that hangs. Then what was there
before the second began is the first one's, and where more than one socket is possible none is taken: never another
connection's.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, urlsplit

_PORT_OF = {"tcp": 16509, "tls": 16514}
_LIBVIRT_PORTS = set(_PORT_OF.values())
_REACH_S = 5.0
_TURN_S = 1.0

_lock = threading.Lock()  # of the three below
_turns: dict[tuple[str, int | None], threading.Lock] = {}
_owned: set[int] = set()  # inodes of the sockets that were given out
_under_way: "list[Opening]" = []  # in the order that they began


class Opening:
    """One connection being opened: made before, asked for its ``sockets`` after."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        path = parse_qs(parts.query).get("socket", [""])[0]
        self._host, self._port = parts.hostname, parts.port
        # By its last part: libvirtd may have bound it in another mount namespace, under another path.
        self._name = os.path.basename(path) or "libvirt-sock"
        self._before = set(_sockets())
        with _lock:
            _under_way.append(self)

    def end(self) -> None:
        """It came to something or to nothing."""
        with _lock:
            _under_way.remove(self)

    def sockets(self) -> list[socket.socket]:
        """Return a duplicate of the connection's socket, to be given back by ``release``; nothing when in doubt."""
        addresses = self._addresses()  # may take long, so not with the lock
        with _lock:
            found = []
            for inode, descriptor in _sockets().items():
                if inode not in self._before and inode not in _owned:
                    with suppress(OSError):
                        found.append(socket.socket(fileno=os.dup(descriptor)))
            ours = [one for one in found if self._leads_there(one, addresses)]
            if len(ours) > 1:
                ours = self._before_the_next(ours)
            if len(ours) != 1:
                ours = []
            for one in found:
                if one not in ours:
                    one.close()
            _owned.update(_inode(one) for one in ours)
            return ours

    def _before_the_next(self, several: list[socket.socket]) -> list[socket.socket]:
        """Of sockets that may be ours, return those that were there when another one began: nobody else's, if first."""
        here = [one for one in _under_way if (one._host, one._port, one._name) == (self._host, self._port, self._name)]
        if here[:1] != [self] or len(here) < 2:
            return []
        return [one for one in several if _inode(one) in here[1]._before]

    def cut(self) -> None:
        """End the opening itself: its socket is shut down, which makes ``libvirt.open`` fail."""
        for one in self.sockets():
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            release(one)

    def _addresses(self) -> set[str]:
        if self._host is None:
            return set()
        with suppress(OSError):
            return {str(found[4][0]) for found in socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)}
        return set()

    def _leads_there(self, one: socket.socket, addresses: set[str]) -> bool:
        with suppress(OSError):
            peer = one.getpeername()
            if one.family == socket.AF_UNIX:
                return self._host is None and os.path.basename(peer) == self._name
            return peer[0] in addresses and peer[1] in ({self._port} if self._port else _LIBVIRT_PORTS)
        return False


def reach(uri: str) -> None:
    """Open and close a TCP connection to a URI's host, where it names one: libvirt itself would try for two minutes.

    Raises: OSError when there is no answer within ``_REACH_S``.
    """
    parts = urlsplit(uri)
    transport = parts.scheme.partition("+")[2] or "tls"
    if parts.hostname is not None and transport in _PORT_OF:
        socket.create_connection((parts.hostname, parts.port or _PORT_OF[transport]), timeout=_REACH_S).close()


@contextmanager
def opening(uri: str) -> Iterator[Opening]:
    """Take a turn at opening ``uri``; without one when whoever has it takes long."""
    parts = urlsplit(uri)
    with _lock:
        turn = _turns.setdefault((parts.hostname or "", parts.port), threading.Lock())
    mine = turn.acquire(timeout=_TURN_S)
    try:
        begun = Opening(uri)
        try:
            yield begun
        finally:
            begun.end()
    finally:
        if mine:
            turn.release()


def release(one: socket.socket) -> None:
    """Close a socket that ``Opening.sockets`` gave."""
    with _lock:
        with suppress(OSError):
            _owned.discard(_inode(one))
        one.close()


def _inode(one: socket.socket) -> int:
    return os.fstat(one.fileno()).st_ino


def _sockets() -> dict[int, int]:
    """Return the process's sockets: inode to descriptor."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            kind, _, inode = os.readlink(f"/proc/self/fd/{name}").partition(":")
            if kind == "socket":
                found[int(inode.strip("[]"))] = int(name)
    return found
