"""What a simulated host tells of its domains to those who listen, as faultily as it was scripted."""

import asyncio
from typing import Any, Protocol
from uuid import UUID

from hosts.drivers.simulated.faults import EVENT, FaultKind, FaultScript
from hosts.drivers.types import HostType


class Listener(Protocol):
    """A client's connection that only listens."""

    def answer(self, message: dict[str, Any]) -> None:
        """Send one message, if the client is still there."""

    def cut(self) -> None:
        """Close the connection without a word."""


class Telling:
    """The listeners of one host."""

    def __init__(self, host: str, faults: FaultScript) -> None:
        self._host = host
        self._faults = faults
        self._listeners: dict[Listener, HostType] = {}

    def add(self, listener: Listener, host_type: HostType) -> None:
        """Tell it of one type's domains from now on."""
        self._listeners[listener] = host_type

    def remove(self, listener: Listener) -> None:
        """It is gone."""
        self._listeners.pop(listener, None)

    def cut(self) -> None:
        """End all their connections."""
        for listener in list(self._listeners):
            listener.cut()
        self._listeners.clear()

    def tell(self, domain: UUID, host_type: HostType) -> None:
        """Something happened to a domain."""
        fault = self._faults.take(EVENT, {"domain": str(domain)})
        kind = None if fault is None else fault.kind
        if fault is not None and kind is FaultKind.DELAY:
            asyncio.get_running_loop().call_later(fault.seconds, self._send, domain, host_type)
        elif kind is not FaultKind.LOSE:
            for _ in range(2 if kind is FaultKind.REPEAT else 1):
                self._send(domain, host_type)

    def _send(self, domain: UUID, host_type: HostType) -> None:
        for listener, wanted in list(self._listeners.items()):
            if wanted is host_type:
                listener.answer({"event": str(domain)})
