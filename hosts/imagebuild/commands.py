"""Running programs: one clear sentence when one fails."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# A builder that is killed takes the program it runs with it, so that the next builder is alone.
_END_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


class BuildError(Exception):
    """An image could not be built; the text is one sentence that says why."""


def run(
    *arguments: str | Path,
    purpose: str,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 900,
) -> str:
    """Run a program and return what it printed, in English: some of it is read here.

    Args:
        purpose: completes the sentence "Could not ...": "make the file system".

    Raises: BuildError naming the purpose, the program and its last words.
    """
    command = [str(argument) for argument in arguments]
    if shutil.which(command[0]) is None:
        raise BuildError(f"Could not {purpose}: the program {command[0]} is not installed.")
    try:
        done = subprocess.run(
            [*_END_WITH_US, *command], input=input, capture_output=True, text=True, errors="replace",
            env={**(os.environ if env is None else env), "LC_ALL": "C.UTF-8"}, cwd=cwd, timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"Could not {purpose}: {command[0]} did not finish within {timeout_s:.0f} s.") from error
    if done.returncode:
        raise BuildError(f"Could not {purpose}: {command[0]} said: {_last_words(done.stderr, done.stdout)}")
    return done.stdout


def _last_words(*outputs: str) -> str:
    """Return the most telling line of a failed program: its first error, else its last line."""
    lines: Sequence[str] = [line.strip() for output in outputs for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "error:", "dpkg: error"))]
    return (errors[:1] or lines[-1:] or ["nothing."])[0][:300]
