"""Which suites there are, and how each is run."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PYTHON_SUITES = ("architecture", "unit", "drivers", "services", "api", "concurrency", "faults")
# What the names of files begin with whose tests need a real host, but no whole panel.
REAL_DRIVERS = ("tests/drivers/test_libvirt_", "tests/faults/test_real_")
BROWSER_ON_REAL_HOSTS = "tests/lab/test_mission.py"


@dataclass(frozen=True)
class Batch:
    """What one command runs: one suite or several.

    Attributes:
        arguments: of pytest; empty for the linters.
        images: built images it waits for.
    """

    title: str
    lane: str
    arguments: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


def batches(checkout: Path, *, workers: int) -> list[Batch]:
    """Return what there is to run, each lane in order."""
    python = [f"tests/{suite}" for suite in PYTHON_SUITES if has_tests(checkout / "tests" / suite)]
    spread = ("-n", str(workers), "--dist", "loadfile")
    files = [path for place in REAL_DRIVERS for path in sorted(checkout.glob(f"{place}*.py"))]
    real = tuple(str(path.relative_to(checkout)) for path in files)
    ignored = tuple(f"--ignore={path}" for path in real)
    found = [Batch("check", "a"), Batch("python", "a", (*python, *ignored, *spread))]
    if has_tests(checkout / "tests" / "browser"):
        found.append(Batch("browser", "a", ("tests/browser",)))
    if real:
        found.append(Batch("real drivers", "b", real, ("micro",)))
    if has_tests(checkout / "tests" / "lab"):
        found.append(Batch("lab", "b", ("tests/lab",), ("micro",)))
    return found


def has_tests(folder: Path) -> bool:
    """True when pytest would collect something there."""
    return any(folder.glob("**/test_*.py"))


def suite_of(test: str) -> str:
    """Return the suite of a test by its id, ``tests/api/test_x.py::test_y``."""
    if test.startswith(REAL_DRIVERS):
        return "real drivers"
    if test.startswith(BROWSER_ON_REAL_HOSTS):
        return "mission"
    parts = test.split("/")
    return parts[1] if len(parts) > 2 else "other"


@dataclass(frozen=True)
class Budgets:
    """Minutes that may be used: by the whole run on the wall clock, by a suite as the sum of its tests."""

    total: float
    suites: Mapping[str, float]


def load_budgets(path: Path) -> Budgets:
    """Read ``tests/budgets.toml``."""
    values = tomllib.loads(path.read_text())
    return Budgets(float(values["total"]), {name: float(minutes) for name, minutes in values["suites"].items()})
