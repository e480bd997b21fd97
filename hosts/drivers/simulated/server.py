"""The simulated server: a unix socket, JSON lines, and every simulated host behind it.

A request is ``{"id": 1, "host": "h1", "type": "kvm", "call": "domain_info", "args": {…}}`` or, for the
test's side, ``{"id": 1, "admin": "make_host", "args": {…}}``; the answer ``{"id": 1, "result": …}`` or
``{"id": 1, "error": {…}}``. After the call ``listen`` a connection only gets ``{"event": "DOMAIN-ID"}``.
Requests of one connection run side by side. A client that dies changes
nothing for a request that was read.
"""

import asyncio
import logging
from typing import Any, cast

from hosts.drivers.simulated.admin_calls import ADMIN_CALLS, AdminCalls
from hosts.drivers.simulated.call_log import CallRecord
from hosts.drivers.simulated.dispatch import DRIVER_CALLS, LISTEN, READS, Call, owner_of
from hosts.drivers.simulated.faults import Fault, FaultKind
from hosts.drivers.simulated.fleet import Fleet
from hosts.drivers.simulated.host import SimulatedHost
from hosts.drivers.simulated.storage import StorageCalls
from hosts.drivers.simulated.wire import ERRORS, decode, decode_line, encode, encode_error, encode_line
from hosts.drivers.types import HostType, VolumeRef
from panel.core.errors import DriverError

logger = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """One client. What it started goes on without it."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._listens_to: SimulatedHost | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.Transport, transport)  # what a unix server gives

    def data_received(self, data: bytes) -> None:
        """Handle every whole line."""
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = self._buffer[:end]
            del self._buffer[: end + 1]
            self._handle(decode_line(line))

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell it nothing more."""
        if self._listens_to is not None:
            self._listens_to.telling.remove(self)

    def answer(self, message: dict[str, Any]) -> None:
        """Send one message, if the client is still there."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_line(message))

    def cut(self) -> None:
        """Close the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _handle(self, message: dict[str, Any]) -> None:
        self._fleet.is_dirty |= message.get("call") not in READS
        if "admin" in message:
            call, owner = ADMIN_CALLS.get(message["admin"]), AdminCalls(self._fleet)
            self.answer({"id": message["id"], **_outcome(call, owner, message["args"])})
            return
        host = self._fleet.host(message["host"])
        if not host.state.reachable:
            self.cut()
            return
        if message["call"] == LISTEN:
            self._listens_to = host
            host.telling.add(self, HostType(message["type"]))
            self.answer({"id": message["id"], "result": None})
            return
        Request(self, self._fleet, host, message).begin()


class Request:
    """A driver's call on its way: first its latency and fault, then the work, then the answer."""

    def __init__(self, connection: Connection, fleet: Fleet, host: SimulatedHost, message: dict[str, Any]) -> None:
        self._connection = connection
        self._host = host
        self._id: int = message["id"]
        self._name: str = message["call"]
        self._arguments: dict[str, Any] = message["args"]
        self._call = DRIVER_CALLS.get(self._name)
        self._owner = owner_of(self._name, host, HostType(message["type"]))
        self._delay_s = fleet.clock.latency(self._name, host.state.name)
        self._fault = host.faults.take(self._name, self._arguments)
        self._record: CallRecord = fleet.log.begin(
            host=host.state.name, host_type=message["type"], call=self._name, arguments=self._arguments
        )

    def begin(self) -> None:
        """Answer at once where nothing has to be waited for, else in a task of its own."""
        if self._fault is None and not self._delay_s and not (self._call is not None and self._call.waits):
            outcome = _outcome(self._call, self._owner, self._arguments)
            self._record.worked()
            self._answer(outcome)
        else:
            self._host.add_task(self._perform(), on_cut=self.cut)

    def cut(self) -> None:
        """End this request by closing its client's connection."""
        if self._record.ended_at is None:
            self._record.end("cut")
        self._connection.cut()

    async def _perform(self) -> None:
        await asyncio.sleep(self._delay_s)
        if self._fault is not None and not await self._is_let_through(self._fault):
            return
        outcome = _outcome(self._call, self._owner, self._arguments)
        if asyncio.iscoroutine(outcome.get("result")):
            outcome = await _awaited(outcome["result"])
        self._record.worked()
        if self._fault is None or "error" in outcome:
            self._answer(outcome)
        else:
            await self._answer_badly(self._fault, outcome)

    async def _is_let_through(self, fault: Fault) -> bool:
        """Do what a fault does before the work; True when the work is to be done."""
        match fault.kind:
            case FaultKind.ERROR:
                self._answer(_scripted_error(fault))
            case FaultKind.HALF_DONE:
                self._leave_half_made()
                self._answer(_scripted_error(fault))
            case FaultKind.CUT_BEFORE:
                self.cut()
            case FaultKind.HANG:
                self._record.outcome = "hang"
                await self._host.hang()
                return True
            case FaultKind.PAUSE:
                await asyncio.sleep(fault.seconds)
                return True
            case _:
                return True
        return False

    async def _answer_badly(self, fault: Fault, outcome: dict[str, Any]) -> None:
        """Do what a fault does after the work was done."""
        match fault.kind:
            case FaultKind.ERROR_AFTER:
                self._answer(_scripted_error(fault))
            case FaultKind.NO_ANSWER:
                self._record.end("no_answer")
            case FaultKind.CUT_AFTER:
                self.cut()
            case FaultKind.LATE_ANSWER:
                await asyncio.sleep(fault.seconds)
                self._answer(outcome)
            case _:
                self._answer(outcome)

    def _answer(self, outcome: dict[str, Any]) -> None:
        error = outcome.get("error")
        self._record.end("ok" if error is None else error["code"])
        self._connection.answer({"id": self._id, **outcome})

    def _leave_half_made(self) -> None:
        if "volume" in self._arguments and isinstance(self._owner, StorageCalls):
            self._owner.leave_half_made(decode(VolumeRef, self._arguments["volume"]))


def _outcome(call: Call | None, owner: object, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run a call; the result of one that waits is its coroutine."""
    if call is None:
        return {"error": encode_error(DriverError(detail="no such call"))}
    try:
        result = call.run(owner, arguments)
    except DriverError as error:
        return {"error": encode_error(error)}
    except Exception as error:
        logger.warning("simulated call failed", exc_info=True)
        return {"error": encode_error(DriverError(detail=f"{type(error).__name__}: {error}"))}
    return {"result": result if call.waits else encode(result)}


async def _awaited(result: Any) -> dict[str, Any]:
    try:
        return {"result": encode(await result)}
    except DriverError as error:
        return {"error": encode_error(error)}


def _scripted_error(fault: Fault) -> dict[str, Any]:
    error = ERRORS.get(fault.error, DriverError)(fault.message, detail="scripted fault")
    return {"error": encode_error(error)}
