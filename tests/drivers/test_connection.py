"""A driver's connection while its host does not answer: nothing but the caller itself waits."""

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from hosts.drivers.libvirt import connection
from hosts.drivers.libvirt.connection import Connection, Session
from panel.core.errors import HostUnreachableError
from tests.drivers.checks import seconds
from tests.drivers.no_libvirtd import use


class Opening:
    """Stands for ``libvirt.open`` of a host that hangs until it is let go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.count = self.closed = 0

    def open(self, uri: str, begun: object) -> Session:
        self.count += 1
        self.begun.set()
        assert self.go_on.wait(20)
        return Session(conn=self, sockets=[], pid=os.getpid())

    def isAlive(self) -> bool:
        return True

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opening]:
    opening = Opening()
    monkeypatch.setattr(connection, "_connect", opening.open)
    yield opening
    opening.go_on.set()


def test_close_does_not_wait_for_a_host_that_hangs_while_it_is_connected(opening, in_thread):
    one = Connection("test:///")
    first = in_thread(lambda: use(one))
    assert opening.begun.wait(5)
    second = in_thread(lambda: use(one))

    assert seconds(one.close) < 5

    with pytest.raises(HostUnreachableError):  # it waited for the first to connect
        second.result(timeout=5)
    with pytest.raises(HostUnreachableError):
        use(one)
    assert not first.done()
    opening.go_on.set()
    with pytest.raises(HostUnreachableError):
        first.result(timeout=5)
    assert (opening.count, opening.closed) == (1, 1)


def test_threads_that_come_while_one_connects_share_its_session(opening, in_thread):
    one = Connection("test:///")
    calls = [in_thread(lambda: use(one)) for _ in range(4)]
    assert opening.begun.wait(5)
    opening.go_on.set()
    assert len({id(call.result(timeout=5)) for call in calls}) == 1
    assert opening.count == 1


def test_what_is_cut_while_a_call_waits_is_closed_when_the_call_has_come_back(opening):
    opening.go_on.set()
    one = Connection("test:///")
    with one.use(), one.use():
        one.close()
        assert opening.closed == 0  # the call would go on in memory that is free
    assert opening.closed == 1


def test_what_was_open_before_a_fork_is_neither_closed_nor_forgotten_after_it(opening):
    opening.go_on.set()
    one = Connection("test:///")
    session = use(one)
    session.pid -= 1  # as a child sees it

    assert use(one) is not session
    assert opening.closed == 0
    assert connection._of_parents.pop() is session.conn


def test_close_ends_the_opening_of_a_host_that_accepts_and_never_answers(in_thread):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        one = Connection(f"qemu+tcp://127.0.0.1:{silent.getsockname()[1]}/system")
        opening = in_thread(lambda: use(one))
        silent.accept()[0].close()  # it looked whether anybody is there
        held = silent.accept()[0]
        held.recv(1)  # libvirt has begun to speak
        assert not opening.done()

        one.close()

        with pytest.raises(HostUnreachableError):
            opening.result(timeout=2)
        held.close()
