"""What a build says while it runs, one line each, so that a job can show it."""

import sys
from dataclasses import dataclass
from typing import TextIO


@dataclass(slots=True)
class Progress:
    """Prints ``STEP n/m text``, and ``DONE text`` in the end."""

    total: int
    stream: TextIO = sys.stdout
    done: int = 0

    def step(self, text: str) -> None:
        """Say that the next step begins."""
        self.done += 1
        self._print(f"STEP {self.done}/{self.total} {text}")

    def finish(self, text: str) -> None:
        """Say that everything is done."""
        self._print(f"DONE {text}")

    def _print(self, line: str) -> None:
        print(line, file=self.stream, flush=True)
