"""Reads the events of all simulated hosts that this process listens to, in one thread."""

import selectors
import socket
import threading
from dataclasses import dataclass, field
from uuid import UUID

from hosts.drivers.base import EventHandler
from hosts.drivers.simulated.wire import decode_line

CHUNK_BYTES = 65536


@dataclass(eq=False, slots=True)
class Stream:
    """The events of one host. ``ended`` once its connection is."""

    sock: socket.socket
    handler: EventHandler
    ended: bool = False
    buffer: bytearray = field(default_factory=bytearray)


class EventReader:
    """Like libvirt's event loop: one thread for all connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._selector: selectors.BaseSelector | None = None

    def add(self, stream: Stream) -> None:
        """Read a stream until it ends, and tell its handler; with None when it has ended."""
        with self._lock:
            if self._selector is None:
                self._selector = selectors.DefaultSelector()  # of epoll: others may add while it waits
                threading.Thread(target=self._run, args=(self._selector,), name="simulated-events", daemon=True).start()
            self._selector.register(stream.sock, selectors.EVENT_READ, stream)

    def _run(self, selector: selectors.BaseSelector) -> None:
        while True:
            for key, _ in selector.select(timeout=1):
                self._read(selector, key.data)

    def _read(self, selector: selectors.BaseSelector, stream: Stream) -> None:
        try:
            received = stream.sock.recv(CHUNK_BYTES)
        except OSError:
            received = b""
        if not received:
            selector.unregister(stream.sock)
            stream.sock.close()
            stream.ended = True
            stream.handler(None)
            return
        stream.buffer += received
        while (end := stream.buffer.find(b"\n")) >= 0:
            message = decode_line(stream.buffer[:end])
            del stream.buffer[: end + 1]
            if "event" in message:
                stream.handler(UUID(message["event"]))


READER = EventReader()
