"""What ``make test`` says and when it fails."""

import json
from pathlib import Path

import pytest

from tests.runner.report import Report, Result
from tests.runner.suites import Budgets, batches, load_budgets, suite_of

CHECKOUT = Path(__file__).parents[2]
BUDGETS = Budgets(total=35, suites={"api": 2, "lab": 10})


def report(*results: Result, **changes) -> Report:
    return Report(**{"budgets": BUDGETS, "forbid_skips": True, "results": [*results], "seconds": 60, **changes})


def test_all_passed():
    run = report(Result("tests/api/test_a.py::test_b", "passed", 1.5))
    assert run.verdict() == []
    assert [*run.lines()][-1] == "1 passed, 0 failed, 0 skipped"


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (report(Result("tests/api/test_a.py::test_b", "failed", 1)), "failed: tests/api/test_a.py::test_b"),
        (
            report(Result("tests/lab/test_a.py::test_b", "skipped", 0, "no QEMU", ("kvm",))),
            "skipped in CI: tests/lab/test_a.py::test_b (no QEMU)",
        ),
        (
            report(Result("tests/api/test_a.py::test_b", "passed", 150)),
            "suite api took 2.5 minutes, its budget is 2",
        ),
        (
            report(Result("tests/new/test_a.py::test_b", "passed", 1)),
            "suite new has no budget in tests/budgets.toml",
        ),
        (report(seconds=2400), "the run took 40.0 minutes, its budget is 35"),
        (report(problems=["lab ended with status 3"]), "lab ended with status 3"),
    ],
)
def test_reasons_to_fail(run, reason):
    assert run.verdict() == [reason]
    assert [*run.lines()][-1].split(", ")[1] == "1 failed"


def test_a_skip_outside_ci_or_of_something_else_is_told_and_no_failure():
    skip = Result("tests/lab/test_a.py::test_b", "skipped", 0, "no QEMU", ("kvm",))
    other = Result("tests/api/test_a.py::test_c", "skipped", 0, "needs a moon")
    nothing = Result("tests/lab/test_a.py::test_d", "skipped", 0, "not applicable: containers have no kernel", ("lxc",))
    assert report(skip, forbid_skips=False).verdict() == []
    run = report(other, nothing)
    assert run.verdict() == []
    assert "skipped: tests/api/test_a.py::test_c: needs a moon" in [*run.lines()]


def test_the_full_run_has_no_budget():
    assert report(Result("tests/api/test_a.py::test_b", "passed", 9999), seconds=9999, full=True).verdict() == []


def test_results_are_read(tmp_path):
    path = tmp_path / "results"
    entries = [
        {"test": "tests/api/test_a.py::a", "outcome": "passed", "seconds": 1, "reason": "", "marks": []},
        {"test": "tests/api/test_a.py::b", "outcome": "failed", "seconds": 1, "reason": "", "marks": ["kvm"]},
    ]
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    run = report()
    assert run.read(path) == 1
    assert run.read(tmp_path / "absent") == 0
    assert [result.outcome for result in run.results] == ["passed", "failed"]


def test_every_test_belongs_to_a_batch_and_every_suite_has_a_budget():
    budgets = load_budgets(CHECKOUT / "tests" / "budgets.toml")
    run = " ".join(argument for batch in batches(CHECKOUT, workers=2) for argument in batch.arguments)
    for path in (CHECKOUT / "tests").glob("**/test_*.py"):
        name = str(path.relative_to(CHECKOUT))
        assert suite_of(name) in budgets.suites, name
        assert any(argument in name for argument in run.split() if argument.startswith("tests/")), name
