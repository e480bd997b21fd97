"""Faults scripted for a simulated host: which call, its how manyeth time, and what goes wrong."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

ANY_CALL = "*"
EVENT = "event"  # as a call's name: what hosts tell of their domains; ``ANY_CALL`` does not mean it


class FaultKind(StrEnum):
    """What goes wrong. *Works* means: the host does what it was asked to."""

    ERROR = "error"  # answers with an error, does not work
    ERROR_AFTER = "error_after"  # works, then answers with an error
    HALF_DONE = "half_done"  # leaves a half-made volume and answers with an error; other calls: as ERROR
    NO_ANSWER = "no_answer"  # works, never answers: the caller runs into its deadline
    LATE_ANSWER = "late_answer"  # works, answers ``seconds`` later
    CUT_BEFORE = "cut_before"  # closes the connection, does not work
    CUT_AFTER = "cut_after"  # works, then closes the connection
    HANG = "hang"  # neither works nor answers, until hangs are released
    PAUSE = "pause"  # works and answers ``seconds`` later than it would
    LOSE = "lose"  # an event that nobody is told
    REPEAT = "repeat"  # an event that is told twice
    DELAY = "delay"  # an event that is told ``seconds`` later: what happens meanwhile comes before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One line of the script. Its count starts when it is set.

    ``nth`` is the matching call it strikes first, from 1; ``times`` how many calls in a row, 0 being all
    from then on. ``seconds`` are real ones, the clock factor does not scale them. ``error`` is the code of
    the error class. ``domain`` restricts it to calls for one domain id.
    """

    kind: FaultKind
    call: str = ANY_CALL
    nth: int = 1
    times: int = 1
    seconds: float = 0.0
    error: str = "driver_failed"
    message: str = ""
    domain: str | None = None

    def matches(self, call: str, arguments: dict[str, Any]) -> bool:
        """True when a call is one this fault counts."""
        if self.call != call and (self.call != ANY_CALL or call == EVENT):
            return False
        return self.domain is None or self.domain == domain_of(arguments)

    def strikes(self, count: int) -> bool:
        """True when the ``count``-th matching call goes wrong."""
        return count >= self.nth and (self.times == 0 or count < self.nth + self.times)


@dataclass(slots=True)
class FaultScript:
    """A host's faults with their counts. Every matching call counts for every fault; the first strikes."""

    faults: list[Fault] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Add a fault; its count is 0."""
        self.faults.append(fault)
        self.counts.append(0)

    def clear(self) -> None:
        """Forget everything."""
        self.faults.clear()
        self.counts.clear()

    def take(self, call: str, arguments: dict[str, Any]) -> Fault | None:
        """Count one call and return the fault that strikes it."""
        struck: Fault | None = None
        for index, fault in enumerate(self.faults):
            if fault.matches(call, arguments):
                self.counts[index] += 1
                if struck is None and fault.strikes(self.counts[index]):
                    struck = fault
        return struck


def domain_of(arguments: dict[str, Any]) -> str | None:
    """Return the domain id a call's arguments, as they came over the wire, are about; None: about none."""
    spec = arguments.get("spec")
    domain = spec.get("id") if isinstance(spec, dict) else arguments.get("domain")
    return domain if isinstance(domain, str) else None
