"""Which socket a connection takes for its own: never another's, also when several hosts are connected at once."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import libvirt
import pytest

from hosts.drivers.libvirt import connection
from hosts.drivers.libvirt.connection import Connection, Session
from panel.core.errors import HostUnreachableError
from tests.drivers.no_libvirtd import failure, use


class Conn:
    """What ``libvirt.open`` returns here: a socket to a listener of the test."""

    def __init__(self, uri: str) -> None:
        host, port = uri.split("/")[2].split(":")
        self.socket = socket.create_connection((host, int(port)))

    def isAlive(self) -> bool:
        return True

    def close(self) -> None:
        """libvirt's own only gives up a reference."""

    @property
    def is_cut(self) -> bool:
        self.socket.setblocking(False)
        with suppress(BlockingIOError):
            return self.socket.recv(1) == b""
        return False


class Daemons:
    """Listeners on two addresses, and a ``libvirt.open`` that hangs for those in ``hanging`` once it is connected."""

    def __init__(self) -> None:
        self.listeners = [socket.create_server((f"127.0.0.{last}", 0)) for last in (2, 3)]
        self.hanging: set[str] = set()
        self.connected, self.go_on = threading.Event(), threading.Event()

    def uri(self, number: int, kind: str = "qemu") -> str:
        host, port = self.listeners[number].getsockname()
        return f"{kind}+tcp://{host}:{port}/system"

    def open(self, uri: str) -> Conn:
        conn = Conn(uri)
        if uri in self.hanging:
            self.connected.set()
            assert self.go_on.wait(20)
        else:
            time.sleep(0.1)
        return conn


@pytest.fixture
def daemons(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemons]:
    daemons = Daemons()
    monkeypatch.setattr(libvirt, "open", daemons.open)
    monkeypatch.setattr(connection, "start_event_loop", lambda: False)
    yield daemons
    daemons.go_on.set()
    for listener in daemons.listeners:
        listener.close()


def own(session: Session) -> bool:
    """True when the session has its own connection's socket and nothing else."""
    conn: Any = session.conn
    return [one.getsockname() for one in session.sockets] == [conn.socket.getsockname()]


def test_hypervisors_of_hosts_connected_at_once_have_each_their_own_socket(daemons, in_thread):
    uris = [daemons.uri(number, kind) for number in (0, 1) for kind in ("qemu", "lxc")]
    connections = [Connection(uri) for uri in uris]
    calls = [in_thread(lambda one=one: use(one)) for one in connections]
    sessions = [call.result(timeout=20) for call in calls]
    assert [own(session) for session in sessions] == [True] * 4
    connections[0].close()
    assert [session.conn.is_cut for session in sessions] == [True, False, False, False]


def test_host_that_hangs_while_it_is_connected_holds_up_no_other(daemons, monkeypatch, in_thread):
    monkeypatch.setattr("hosts.drivers.libvirt.sockets._TURN_S", 3.0)
    daemons.hanging = {daemons.uri(0)}
    hanging = in_thread(lambda: use(Connection(daemons.uri(0))))
    assert daemons.connected.wait(20)

    began = time.monotonic()
    other = use(Connection(daemons.uri(1)))
    assert time.monotonic() - began < 3
    beside = use(Connection(daemons.uri(0, "lxc")))
    assert time.monotonic() - began < 10
    assert (own(other), own(beside)) == (True, True)

    daemons.go_on.set()
    late = hanging.result(timeout=20)
    assert own(late)
    late.cut()
    assert (other.conn.is_cut, beside.conn.is_cut) == (False, False)


def test_each_hypervisor_of_a_host_that_hangs_while_it_is_connected_can_be_cut(daemons, monkeypatch, in_thread):
    connected = threading.Semaphore(0)

    def hang(uri: str) -> Conn:
        conn = Conn(uri)
        conn.socket.settimeout(10)
        connected.release()
        assert conn.socket.recv(1) == b""
        raise failure(libvirt.VIR_ERR_SYSTEM_ERROR, "cut")

    monkeypatch.setattr("hosts.drivers.libvirt.sockets._TURN_S", 0.1)
    monkeypatch.setattr(libvirt, "open", hang)
    connections = [Connection(daemons.uri(0, kind)) for kind in ("qemu", "lxc", "xen")]
    calls = []
    for one in connections:
        calls.append(in_thread(lambda one=one: use(one)))
        assert connected.acquire(timeout=20)
    for one, call in zip(connections, calls, strict=True):
        one.close()
        with pytest.raises(HostUnreachableError):
            call.result(timeout=5)


def test_sockets_in_doubt_are_left_alone(daemons, monkeypatch, in_thread):
    together = threading.Barrier(2)

    def open_together(uri: str) -> Conn:
        together.wait(20)  # both have begun, and neither is connected
        conn = Conn(uri)
        together.wait(20)  # both are
        return conn

    monkeypatch.setattr("hosts.drivers.libvirt.sockets._TURN_S", 0.0)
    monkeypatch.setattr(libvirt, "open", open_together)
    calls = [in_thread(lambda kind=kind: use(Connection(daemons.uri(0, kind)))) for kind in ("qemu", "lxc")]
    assert [call.result(timeout=20).sockets for call in calls] == [[], []]


def test_cut_connection_gives_its_socket_back(daemons):
    one = Connection(daemons.uri(0))
    session = use(one)
    one.close()
    assert session.sockets == []
    assert session.conn.is_cut
    assert own(use(Connection(daemons.uri(0))))
