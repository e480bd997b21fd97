"""``docs/faults.md``: what a full run of the fault matrices on real hypervisors came to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.utils import timezone

_FILE = Path(__file__).parents[2] / "docs" / "faults.md"
_TYPES = ("kvm", "lxc")
_INTRO = """# Faults on real hypervisors

`make test-full` writes this page; the last run was on {day}, on one machine with two cores, QEMU {how} and LXC, with
servers of the micro image. It stopped with an error at the first wrong ending, so every line below went well.

## Workers killed

The process that carried the job out was killed (SIGKILL) at each checkpoint: once before the step, once after it.
Another one took the job over when its lease had run out and ended it as if nothing had been: the same state in the
panel and on the host, no domain, volume, seed, pool, mount, rule, address or quota left over. The numbers are the
seconds from the kill to the end of the job; the lease was {lease_s} s.

| Action | Checkpoint | KVM before | KVM after | LXC before | LXC after |
|---|---|---|---|---|---|
"""
_CALLS = """
## Calls gone wrong

Each call that the job makes to its host went wrong once in each way: it worked and no answer came, it worked and the
connection was cut, it failed. Each time the job ended, the panel said what is, and nothing was left over. *repeated*:
the job tried again and succeeded; *error*: it said so and took back what it had made, or can be asked for again.

| Action | Call | Went wrong | KVM | LXC |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Case:
    """One fault and how long the job took to end after it; ``where`` and ``how`` say which."""

    host_type: str
    action: str
    where: str
    how: str
    seconds: float
    ended: str = "success"


@dataclass
class FaultTable:
    """All cases of a run."""

    cuts: list[Case] = field(default_factory=list)
    calls: list[Case] = field(default_factory=list)
    emulated: bool = True

    def complete(self, cut: Iterable[tuple[str, str]], *, calls_of: Iterable[tuple[str, str]]) -> bool:
        """True when each of these pairs of a type of host and an action was cut, and these had calls go wrong."""
        were_cut = {(one.host_type, one.action) for one in self.cuts}
        went_wrong = {(one.host_type, one.action) for one in self.calls}
        return were_cut >= set(cut) and went_wrong >= set(calls_of)

    def write(self, *, lease_s: float) -> None:
        """Write the page."""
        how = "(emulated)" if self.emulated else "(accelerated)"
        text = _INTRO.format(day=timezone.now().date(), how=how, lease_s=lease_s)
        for (action, where), cases in _grouped(self.cuts):
            cells = [_seconds(cases, kind, side) for kind in _TYPES for side in ("before", "after")]
            text += f"| {action} | {where} | {' | '.join(cells)} |\n"
        text += f"\n{len(self.cuts)} cases.\n{_CALLS}"
        for (action, where), cases in _grouped(self.calls):
            for how in dict.fromkeys(one.how for one in cases):
                text += f"| {action} | {where} | {how} | {' | '.join(_ended(cases, kind, how) for kind in _TYPES)} |\n"
        _FILE.write_text(f"{text}\n{len(self.calls)} cases.\n")


def _grouped(cases: Sequence[Case]) -> list[tuple[tuple[str, str], list[Case]]]:
    keys = dict.fromkeys((one.action, one.where) for one in cases)
    return [(key, [one for one in cases if (one.action, one.where) == key]) for key in keys]


def _seconds(cases: Sequence[Case], kind: str, side: str) -> str:
    return next((f"{one.seconds:.1f}" for one in cases if (one.host_type, one.how) == (kind, side)), "")


def _ended(cases: Sequence[Case], kind: str, how: str) -> str:
    said = {"success": "repeated", "error": "error"}
    return next((said[one.ended] for one in cases if (one.host_type, one.how) == (kind, how)), "not called")
