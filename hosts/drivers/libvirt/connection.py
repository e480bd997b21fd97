"""One libvirt connection of one process, opened when it is needed and opened anew when it broke."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import libvirt

from hosts.drivers.libvirt import sockets
from hosts.drivers.libvirt.errors import translate
from hosts.drivers.libvirt.event_loop import start_event_loop
from panel.core.errors import DriverError, HostUnreachableError

# A peer that is silent for 5 s is asked; after 5 unanswered questions the connection is cut.
_KEEPALIVE_INTERVAL_S, _KEEPALIVE_COUNT = 5, 5
_LOOK_AGAIN_S = 0.1

Value = TypeVar("Value")
# What a process before a fork had open. Kept, because libvirt would say good-bye in that process's name.
_of_parents: list[Any] = []


@dataclass(eq=False, slots=True)
class Session:
    """An open connection and what was found out through it. What a restart of libvirtd may change goes with it.

    A libvirt call does not keep the connection that it waits at: to close it then is to free memory in use. So whoever
    calls holds the session, and what is cut meanwhile is closed by the last one to let it go.
    """

    conn: Any  # libvirt.virConnect
    sockets: list[socket.socket]
    pid: int
    facts: dict[str, Any] = field(default_factory=dict)
    endings: list[Callable[[], object]] = field(default_factory=list)  # what lets go of what libvirt keeps of us
    _lock: threading.Lock = field(default_factory=threading.Lock)  # of the two below
    _held: int = 0
    _is_cut: bool = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep it from being closed in the block. Raises: HostUnreachableError when it is cut already."""
        with self._lock:
            if self._is_cut:
                raise HostUnreachableError(detail="closed")
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1
                is_last = self._is_cut and not self._held
            if is_last:
                self._close()

    def cut(self) -> None:
        """End it, also while threads wait for answers: their calls fail at once. Another process's is left alone."""
        with self._lock:
            is_first, self._is_cut = not self._is_cut, True
            is_last = is_first and not self._held
        if not is_first:
            return
        for one in self.sockets:
            if self.pid == os.getpid():
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            sockets.release(one)
        self.sockets.clear()
        if is_last:
            self._close()

    def _close(self) -> None:
        if self.pid != os.getpid():
            _of_parents.append(self.conn)
            return
        for end in [*self.endings, self.conn.close]:
            with suppress(libvirt.libvirtError):
                end()

    def once(self, name: str, find: Callable[[], Value]) -> Value:
        """Return ``find()``, called at most once for each connection (twice when two threads ask at once)."""
        if name not in self.facts:
            self.facts[name] = find()
        found: Value = self.facts[name]
        return found


class Connection:
    """A connection to one URI, shared by the threads of a process.

    Made before a fork it may be used after it: nothing is opened until the first use, and what another process
    opened is left to that process.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._lock = threading.Lock()  # of the two below; never held while libvirt is asked for anything
        self._opening = threading.Lock()  # one thread opens; a host that hangs may keep it there
        self._session: Session | None = None
        self._being_opened: sockets.Opening | None = None
        self._closed = False
        self.on_open: Callable[[Session], None] = lambda session: None  # before each use

    @contextmanager
    def use(self) -> Iterator[Session]:
        """Lend the open connection; libvirt's errors inside come out as the panel's.

        Raises: HostUnreachableError when it cannot be opened or was cut; the next use opens it anew.
        """
        session = self._open()
        try:
            with session.held():
                self.on_open(session)
                yield session
        except libvirt.libvirtError as error:
            translated = translate(error)
            if isinstance(translated, HostUnreachableError) or self._closed:
                self._drop(session)
                raise HostUnreachableError(detail=translated.detail) from error
            raise translated from error
        except DriverError:
            if self._closed:
                raise HostUnreachableError(detail="closed") from None
            raise

    def close(self) -> None:
        """Cut the connection for good. Calls that wait in other threads fail at once."""
        with self._lock:
            self._closed = True
            session, self._session = self._session, None
            being_opened = self._being_opened
        if session is not None:
            session.cut()
        if being_opened is not None:
            being_opened.cut()

    def _open(self) -> Session:
        session = self._alive()
        while session is None:
            if self._opening.acquire(timeout=_LOOK_AGAIN_S):
                try:
                    session = self._alive() or self._keep(self._connect())
                finally:
                    self._opening.release()
            else:
                session = self._alive()  # another thread opens it, or close() was called
        return session

    def _connect(self) -> Session:
        def begun(opening: sockets.Opening) -> None:
            self._being_opened = opening

        try:
            return _connect(self._uri, begun)
        finally:
            self._being_opened = None

    def _alive(self) -> Session | None:
        """Return the open session, if there is one. Raises: HostUnreachableError after ``close``."""
        with self._lock:
            if self._closed:
                raise HostUnreachableError(detail="closed")
            session = self._session
        if session is None or (session.pid == os.getpid() and _is_alive(session)):
            return session
        self._drop(session)
        return None

    def _keep(self, session: Session) -> Session:
        """Make a new session the open one, unless ``close`` was called meanwhile."""
        with self._lock:
            closed = self._closed
            if not closed:
                self._session = session
        if closed:
            session.cut()
            raise HostUnreachableError(detail="closed")
        return session

    def _drop(self, session: Session) -> None:
        with self._lock:
            if self._session is session:
                self._session = None
        session.cut()


def _connect(uri: str, begun: Callable[[sockets.Opening], None]) -> Session:
    """Open a connection; ``begun`` gets what ends the opening from outside."""
    has_events = start_event_loop()
    with sockets.opening(uri) as opening:
        begun(opening)
        try:
            sockets.reach(uri)
            conn = libvirt.open(uri)
            if has_events:
                conn.setKeepAlive(_KEEPALIVE_INTERVAL_S, _KEEPALIVE_COUNT)
        except (libvirt.libvirtError, OSError) as error:
            raise HostUnreachableError(detail=str(error)[:2000]) from error
        return Session(conn=conn, sockets=opening.sockets(), pid=os.getpid())


def _is_alive(session: Session) -> bool:
    try:
        with session.held():
            return bool(session.conn.isAlive())
    except (libvirt.libvirtError, HostUnreachableError):  # another thread has cut it
        return False
