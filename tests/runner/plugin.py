"""A pytest plugin (``-p tests.runner.plugin``) that writes one JSON line per test to ``INNKEEPER_TEST_RESULTS``."""

import json
import os
from typing import Any

import pytest

MARKS = ("kvm", "lxc", "browser")


class Recorder:
    """Collects the three phases of each test and writes them as one result."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "a", buffering=1)  # noqa: SIM115 - open as long as pytest runs
        self._tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = self._tests.setdefault(
            report.nodeid,
            {"test": report.nodeid, "outcome": "passed", "seconds": 0.0, "reason": "", "marks": []},
        )
        test["seconds"] += report.duration
        test["marks"] = [mark for mark in MARKS if mark in report.keywords]
        if report.failed:
            test["outcome"] = "failed"
        elif report.skipped and test["outcome"] == "passed":
            expected = hasattr(report, "wasxfail")
            test["outcome"] = "passed" if expected else "skipped"
            test["reason"] = "" if expected else _reason(report)
        if report.when == "teardown":
            self._write(self._tests.pop(report.nodeid))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed or report.skipped:
            outcome = "failed" if report.failed else "skipped"
            reason = _reason(report) if report.skipped else "cannot be collected"
            self._write(
                {"test": report.nodeid, "outcome": outcome, "seconds": 0.0, "reason": reason, "marks": _marks(report)}
            )

    def pytest_unconfigure(self) -> None:
        for test in self._tests.values():  # a worker died with them
            self._write({**test, "outcome": "failed", "reason": "did not end"})
        self._file.close()

    def _write(self, result: dict[str, Any]) -> None:
        self._file.write(json.dumps(result) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get("INNKEEPER_TEST_RESULTS")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(path), "innkeeper-recorder")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    long = report.longrepr
    text = long[2] if isinstance(long, tuple) else str(long)
    return text.removeprefix("Skipped: ")


def _marks(report: pytest.CollectReport) -> list[str]:
    """A module that skips itself has no marks; the real hosts' and the browser's modules need theirs."""
    places = {
        "tests/lab": "kvm",
        "tests/drivers/test_libvirt": "kvm",
        "tests/faults/test_real": "kvm",
        "tests/browser": "browser",
    }
    return [mark for place, mark in places.items() if report.nodeid.startswith(place)]
