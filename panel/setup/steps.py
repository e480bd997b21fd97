"""Doing the steps of the set-up one after the other, and saying so with times."""

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

Action = Callable[[], str]


@dataclass(frozen=True)
class Step:
    """One step. ``run`` brings its part of the machine into shape, whatever it finds, and returns a few words."""

    title: str
    run: Action


@dataclass
class Records:
    """Small facts that must outlive a run, in one JSON file: what was chosen, what was found before."""

    path: Path
    values: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Records":
        """Read the file; a missing or damaged one is empty, every step then looks for itself."""
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError):
            found = {}
        return cls(path, {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {})

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def set(self, name: str, value: str) -> None:
        """Record one fact; on disk when this returns."""
        if self.values.get(name) != value:
            self.values[name] = value
            self._write()

    def forget(self, name: str) -> None:
        if self.values.pop(name, None) is not None:
            self._write()

    def once(self, name: str, fingerprint: str, action: Callable[[], object]) -> bool:
        """Run ``action`` unless it finished before with the same fingerprint. Returns whether it ran."""
        if self.values.get(name) == fingerprint:
            return False
        self.forget(name)  # a cut in the middle must not look like the old, finished state
        action()
        self.set(name, fingerprint)
        return True

    def _write(self) -> None:
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.values, indent=1, sort_keys=True))
        partial.replace(self.path)


def run_steps(steps: Iterable[Step], *, out: TextIO = sys.stdout) -> float:
    """Run every step, one line each. Returns the seconds it took; errors pass through after an end of line."""
    todo = list(steps)
    begin = time.monotonic()
    for number, step in enumerate(todo, start=1):
        started = time.monotonic()
        out.write(f"[{number:2}/{len(todo)}] {step.title:<22} ")
        out.flush()
        try:
            words = step.run()
        except BaseException:
            out.write("✗\n")
            out.flush()
            raise
        out.write(f"{time.monotonic() - started:6.1f} s  {words}\n")
        out.flush()
    return time.monotonic() - begin
