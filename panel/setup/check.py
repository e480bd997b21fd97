"""``make check``: everything that can be said of the code without running a service."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from panel.setup.errors import SetupError
from panel.setup.packages import BUILD, missing
from panel.setup.python_env import ensure_venv

_SETTINGS = "panel.settings.check"


@dataclass(frozen=True)
class _Check:
    """One program that returns 0 when all is well."""

    title: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class _Outcome:
    check: _Check
    passed: bool
    output: str
    seconds: float


def check(checkout: Path) -> int:
    """Run every check, two at a time, and print what failed. Returns the exit status."""
    venv = development_environment(checkout)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": _SETTINGS, "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    with ThreadPoolExecutor(max_workers=2) as pool:
        outcomes = pool.map(lambda one: _run(one, checkout, environment), _checks())
        failed = [outcome for outcome in outcomes if not _shown(outcome).passed]
    return 1 if failed else 0


def development_environment(checkout: Path) -> Path:
    """Return the developers' Python environment, made if need be.

    Raises:
        SetupError: compilers or headers are missing and the caller may not install them.
    """
    venv, lock = checkout / ".venv", checkout / "requirements-dev.lock"
    lacking = missing(BUILD)
    if lacking and not (venv / "bin" / "python").exists():
        if os.geteuid() != 0:
            raise SetupError(f"Some Debian packages are missing: sudo apt-get install {' '.join(lacking)}")
        _install(lacking)
    print(f"Python environment: {ensure_venv(venv, lock, log=venv / 'install.log', compiled=False)}", flush=True)
    return venv


def _install(lacking: list[str]) -> None:
    from panel.setup.packages import install

    install(tuple(lacking), log=Path("/var/log/innkeeper-packages.log"))


def _checks() -> tuple[_Check, ...]:
    """The longest first, so that two at a time end together."""
    return (
        _Check("types (mypy)", ("mypy", ".")),
        _Check("style (ruff)", ("ruff", "check", ".")),
        _Check("format (ruff)", ("ruff", "format", "--check", ".")),
        _Check("imports (import-linter)", ("lint-imports",)),
        _Check("migrations in step", ("python", "manage.py", "makemigrations", "--check", "--dry-run")),
        _Check("templates compile", ("python", "-m", "panel.setup.check_templates")),
        _Check(
            "OpenAPI valid",
            ("python", "manage.py", "spectacular", "--validate", "--fail-on-warn", "--file", os.devnull),
        ),
    )


def _run(check: _Check, checkout: Path, environment: dict[str, str]) -> _Outcome:
    begin = time.monotonic()
    done = subprocess.run(
        check.command,
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return _Outcome(check, done.returncode == 0, done.stdout + done.stderr, time.monotonic() - begin)


def _shown(outcome: _Outcome) -> _Outcome:
    print(f"{'ok  ' if outcome.passed else 'FAIL'} {outcome.check.title:<26} {outcome.seconds:6.1f} s", flush=True)
    if not outcome.passed:
        print(outcome.output.rstrip(), flush=True)
    return outcome
