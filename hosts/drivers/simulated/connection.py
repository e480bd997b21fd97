"""The client's side of the socket: one connection for each call in flight, kept for the next one."""

import os
import socket
import threading
from typing import Any

from hosts.drivers.simulated.wire import decode_error, decode_line, encode_line
from panel.core.errors import DriverError, HostUnreachableError

CHUNK_BYTES = 65536


class ServerConnection:
    """Sends requests and waits for their answers, from any number of threads.

    Each call has a socket of its own while it lasts, so one that hangs holds up nobody else. ``close``
    makes those that wait fail, and all later ones. A process that was forked starts with no sockets.
    """

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path
        self._closed = False
        self._reset()

    def request(self, message: dict[str, Any]) -> Any:
        """Send one request and return its result.

        Raises: HostUnreachableError when there is no server, it cuts the connection, or ``close`` was
        called; the error of the answer.
        """
        sock, answer = self._exchange(message)
        self._release(sock)
        if "error" in answer:
            raise decode_error(answer["error"])
        return answer["result"]

    def stream(self, message: dict[str, Any]) -> socket.socket:
        """Send one request and return the socket on which more than its answer will come.

        ``close`` ends it, too. Raises: HostUnreachableError.
        """
        return self._exchange(message)[0]

    def _exchange(self, message: dict[str, Any]) -> tuple[socket.socket, dict[str, Any]]:
        if self._pid != os.getpid():
            self._reset()
        sock = self._acquire()
        try:
            return sock, _exchange(sock, encode_line({"id": 0, **message}))
        except OSError as error:
            self.discard(sock)
            raise HostUnreachableError(detail=f"{self._path}: {error}") from error
        except BaseException:
            self.discard(sock)
            raise

    def close(self) -> None:
        """Close every socket; whoever waits on one gets HostUnreachableError."""
        if self._pid != os.getpid():
            self._reset()
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            for sock in self._busy:
                _hang_up(sock)

    def _reset(self) -> None:
        """Start without sockets: a parent's must not be used, nor its lock, which may be held for ever."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._idle: list[socket.socket] = []
        self._busy: set[socket.socket] = set()

    def _acquire(self) -> socket.socket:
        with self._lock:
            self._check_open()
            while self._idle:
                sock = self._idle.pop()
                if _is_alive(sock):
                    self._busy.add(sock)
                    return sock
                sock.close()
        sock = self._connect()
        with self._lock:
            if not self._closed:
                self._busy.add(sock)
                return sock
        sock.close()
        raise HostUnreachableError(detail="the connection was closed")

    def _connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(self._path)
        except OSError as error:
            sock.close()
            raise HostUnreachableError(detail=f"{self._path}: {error}") from error
        return sock

    def _check_open(self) -> None:
        if self._closed:
            raise HostUnreachableError(detail="the connection was closed")

    def _release(self, sock: socket.socket) -> None:
        with self._lock:
            self._busy.discard(sock)
            if not self._closed:
                self._idle.append(sock)
                return
        sock.close()

    def discard(self, sock: socket.socket) -> None:
        """Close a socket and forget it."""
        with self._lock:
            self._busy.discard(sock)
        sock.close()


def _exchange(sock: socket.socket, line: bytes) -> dict[str, Any]:
    """Send a line and read one. Raises: OSError, also when the server ends the connection."""
    sock.sendall(line)
    answer = bytearray()
    while not answer.endswith(b"\n"):
        received = sock.recv(CHUNK_BYTES)
        if not received:
            raise ConnectionResetError("the connection was cut")
        answer += received
    message = decode_line(answer.partition(b"\n")[0])  # where it is a stream, an event may have followed already
    if not ("result" in message or "error" in message):
        raise DriverError(detail="the simulated server sent no answer")
    return message


def _is_alive(sock: socket.socket) -> bool:
    """False when the server ended an idle connection, as a restarted one has."""
    try:
        return bool(sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is closed already
        return
