"""The record of calls a simulated server keeps, so that tests can ask what was done, and at once."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, kw_only=True)
class CallRecord:
    """One call of a driver. Times are seconds since 1970; None: not yet, or never.

    ``outcome`` is "" while it runs, "ok", an error's code, "no_answer", "cut" or "hang". ``arguments`` are
    those of the wire; of a seed only the file names are kept, because a seed holds password hashes.
    """

    sequence: int
    host: str
    host_type: str
    call: str
    arguments: dict[str, Any]
    started_at: float
    worked_at: float | None = None
    ended_at: float | None = None
    outcome: str = ""

    def worked(self) -> None:
        """Note that the host did what it was asked to."""
        self.worked_at = time.time()

    def end(self, outcome: str) -> None:
        """Note how the call ended."""
        self.ended_at = time.time()
        self.outcome = outcome


class CallLog:
    """The newest ``size`` calls of all hosts, oldest first."""

    def __init__(self, size: int) -> None:
        self._records: deque[CallRecord] = deque(maxlen=size)
        self._sequence = 0

    def begin(self, *, host: str, host_type: str, call: str, arguments: dict[str, Any]) -> CallRecord:
        """Note that a call came in."""
        self._sequence += 1
        if call == "seed_write":
            arguments = {**arguments, "seed": {"files": sorted(arguments["seed"]["files"])}}
        record = CallRecord(
            sequence=self._sequence,
            host=host,
            host_type=host_type,
            call=call,
            arguments=arguments,
            started_at=time.time(),
        )
        self._records.append(record)
        return record

    def select(self, *, host: str | None, call: str | None, after: int) -> list[CallRecord]:
        """Return the calls with a sequence above ``after``; None means any."""
        return [
            record
            for record in self._records
            if record.sequence > after and host in (None, record.host) and call in (None, record.call)
        ]

    def clear(self) -> None:
        """Forget all calls; the sequence goes on."""
        self._records.clear()


def most_at_once(records: Iterable[CallRecord]) -> int:
    """Return how many of the calls ran at the same moment at most. One that has no end still runs."""
    moments: list[tuple[float, int]] = []
    for record in records:
        moments.append((record.started_at, 1))
        if record.ended_at is not None:
            moments.append((record.ended_at, -1))
    running = most = 0
    for _moment, change in sorted(moments):
        running += change
        most = max(most, running)
    return most
