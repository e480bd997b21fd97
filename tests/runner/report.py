"""What a run says at its end: failures, skips with their reasons, minutes by suite, one line of numbers."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.runner.suites import Budgets, suite_of

NOT_APPLICABLE = "not applicable: "  # such a skip says nothing about the machine: there is nothing to test


@dataclass(frozen=True)
class Result:
    """One test's end. ``outcome``: passed, failed or skipped."""

    test: str
    outcome: str
    seconds: float
    reason: str = ""
    marks: tuple[str, ...] = ()


@dataclass
class Report:
    """Everything known of a run.

    Attributes:
        problems: failures that belong to no test.
        wanted, ended: titles of batches; each that was wanted must have ended, well or with a problem.
    """

    budgets: Budgets
    forbid_skips: bool
    results: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    full: bool = False
    wanted: tuple[str, ...] = ()
    ended: set[str] = field(default_factory=set)

    def read(self, path: Path) -> int:
        """Add what a pytest wrote. Returns how many of its tests failed."""
        lines = path.read_text().splitlines() if path.exists() else []
        found = [_result(json.loads(line)) for line in lines]
        self.results += found
        return sum(result.outcome == "failed" for result in found)

    def broke(self, title: str, how: str) -> None:
        """Count a batch as ended with a failure that belongs to no test."""
        self.problems.append(f"{title} {how}")
        self.ended.add(title)

    def verdict(self) -> list[str]:
        """Return every reason for which the run fails."""
        failed = [f"failed: {result.test}" for result in self._with("failed")]
        return [*failed, *self._forbidden(), *self._over_budget(), *self.problems, *self._missing()]

    def lines(self) -> Iterable[str]:
        """Yield the report; the numbers come last."""
        yield from self._skips()
        yield from self._minutes()
        for reason in self.verdict():
            yield f"✗ {reason}"
        # What failed without being a test is counted, so that the last line never looks better than the run was.
        failed = len(self.verdict())
        yield f"{len(self._with('passed'))} passed, {failed} failed, {len(self._with('skipped'))} skipped"

    def _with(self, outcome: str) -> list[Result]:
        return [result for result in self.results if result.outcome == outcome]

    def _forbidden(self) -> list[str]:
        if not self.forbid_skips:
            return []
        missing = [r for r in self._with("skipped") if r.marks and not r.reason.startswith(NOT_APPLICABLE)]
        return [f"skipped in CI: {r.test} ({r.reason})" for r in missing]

    def _missing(self) -> list[str]:
        return [f"{title} did not run" for title in self.wanted if title not in self.ended]

    def _by_suite(self) -> Mapping[str, list[Result]]:
        found = defaultdict(list)
        for result in self.results:
            found[suite_of(result.test)].append(result)
        return found

    def _over_budget(self) -> list[str]:
        if self.full:  # the uncapped matrices have no budget
            return []
        over = []
        for suite, results in self._by_suite().items():
            minutes, budget = _minutes(results), self.budgets.suites.get(suite)
            if budget is None:
                over.append(f"suite {suite} has no budget in tests/budgets.toml")
            elif minutes > budget:
                over.append(f"suite {suite} took {minutes:.1f} minutes, its budget is {budget:g}")
        if self.seconds / 60 > self.budgets.total:
            over.append(f"the run took {self.seconds / 60:.1f} minutes, its budget is {self.budgets.total:g}")
        return over

    def _skips(self) -> Iterable[str]:
        reasons = defaultdict(list)
        for result in self._with("skipped"):
            reasons[result.reason].append(result.test)
        for reason, tests in sorted(reasons.items()):
            more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
            yield f"skipped: {tests[0]}{more}: {reason}"

    def _minutes(self) -> Iterable[str]:
        yield f"{'suite':<14}{'tests':>6}{'minutes':>9}{'budget':>8}"
        for suite, results in self._by_suite().items():
            budget = self.budgets.suites.get(suite, 0)
            yield f"{suite:<14}{len(results):>6}{_minutes(results):>9.1f}{budget:>8g}"
        yield f"{'whole run':<14}{len(self.results):>6}{self.seconds / 60:>9.1f}{self.budgets.total:>8g}"


def _minutes(results: list[Result]) -> float:
    return sum(result.seconds for result in results) / 60


def _result(values: dict[str, Any]) -> Result:
    return Result(
        test=values["test"],
        outcome=values["outcome"],
        seconds=values["seconds"],
        reason=values["reason"],
        marks=tuple(values["marks"]),
    )
