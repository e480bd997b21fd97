"""What ``make test`` says and when it fails."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from lab.processes import LabError
from lab.server import wait_until
from tests.runner import __main__ as runner
from tests.runner import places, prepare
from tests.runner.lanes import Lane
from tests.runner.places import Places
from tests.runner.prepare import ImageBuilds
from tests.runner.report import Report, Result
from tests.runner.suites import Batch, Budgets, batches, load_budgets, suite_of

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


# ── nothing that went wrong looks good ──────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def here(tmp_path: Path) -> Places:
    """Places of a run of its own; ``pytest`` in it is what a test makes of ``tmp_path/.venv/bin/python``."""
    found = Places(tmp_path, "inktest", tmp_path / "state", tmp_path / "run", tmp_path / "cache", tmp_path / "kept")
    for folder in (found.logs, found.images, found.run_dir, found.python.parent):
        folder.mkdir(parents=True)
    return found


def pytest_stands_in(here: Places, *, status: int, result: str = "") -> None:
    """Make this run's pytest write one result, or none, and end with a status."""
    line = json.dumps({"test": "tests/api/test_a.py::b", "outcome": result, "seconds": 1, "reason": "", "marks": []})
    write = f"echo '{line}' >\"$INNKEEPER_TEST_RESULTS\"\n" if result else ""
    here.python.write_text(f"#!/bin/sh\n{write}exit {status}\n")
    here.python.chmod(0o755)


def run_lane(here: Places, *titles: str, narrowed: bool = False) -> Report:
    """Run batches of pytest in this process's own network namespace."""
    run = report(wanted=titles)
    found = [Batch(title, "a", ("tests/api",), ("micro",) if title == "lab" else ()) for title in titles]
    builds = ImageBuilds(here)
    builds.failed["micro"] = "No space."
    lane = Lane(found, places=here, netns=None, environment=os.environ, builds=builds, report=run, say=lambda _: None,
                narrowed=narrowed)  # fmt: skip
    lane.start()
    lane.join(timeout=30)
    return run


def test_a_batch_that_passed_is_good(here):
    pytest_stands_in(here, status=0, result="passed")
    assert run_lane(here, "python").verdict() == []


@pytest.mark.parametrize("status", [0, 5])
def test_a_batch_without_a_test_is_a_failure_unless_the_caller_chose_tests(here, status):
    pytest_stands_in(here, status=status)
    run = run_lane(here, "python")
    assert run.verdict() == [f"python ran no test (status {status})"]
    assert run_lane(here, "python", narrowed=True).verdict() == []


def test_a_crash_is_a_failure_even_when_no_test_failed(here):
    pytest_stands_in(here, status=3, result="passed")
    assert run_lane(here, "python").verdict() == ["python ended with status 3"]


def test_an_exception_in_a_lane_is_a_failure_and_the_next_batch_runs(here, monkeypatch):
    pytest_stands_in(here, status=0, result="passed")
    run_one = Lane._run

    def breaks(self, batch):
        if batch.title == "python":
            raise OSError(28, "No space left on device")
        run_one(self, batch)

    monkeypatch.setattr(Lane, "_run", breaks)
    run = run_lane(here, "python", "browser")
    assert run.verdict() == ["python broke off: OSError: [Errno 28] No space left on device"]
    assert run.ended == {"python", "browser"}


def test_a_batch_whose_image_failed_did_not_run(here):
    pytest_stands_in(here, status=0, result="passed")
    assert run_lane(here, "lab").verdict() == ["lab did not run: No space."]


def test_a_batch_that_nobody_ran_is_a_failure():
    run = report(wanted=("check", "lab"))
    run.ended.add("check")
    assert run.verdict() == ["lab did not run"]


@pytest.mark.parametrize(
    ("error", "said"), [(LabError("No."), "No."), (OSError(28, "Full"), "OSError: [Errno 28] Full")]
)
def test_whatever_ends_an_image_build_is_heard(here, monkeypatch, error, said):
    def provide(self, slug):
        raise error

    monkeypatch.setattr(ImageBuilds, "_provide", provide)
    builds = ImageBuilds(here)
    builds.run()
    assert builds.failed == dict.fromkeys(prepare.IMAGES, said)


# ── cleaning up ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_only_the_first_signal_interrupts_and_none_once_it_cleans():
    caught = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    interrupts = runner.Interrupts()
    try:
        interrupts.catch()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        other = runner.Interrupts()
        other.catch()
        other.ignore()
        signal.raise_signal(signal.SIGINT)
    finally:
        for number, handler in caught.items():
            signal.signal(number, handler)


def test_logs_that_cannot_be_kept_do_not_keep_from_cleaning(here, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device")

    said: list[str] = []
    monkeypatch.setattr(runner, "keep_logs", fails)
    monkeypatch.setattr(runner, "say", said.append)
    runner._keep_logs(here)
    assert said == ["The logs cannot be kept: [Errno 28] No space left on device"]


def test_clearing_leaves_the_namespaces_of_a_run_with_a_letter_alone(here, monkeypatch):
    removed: list[str] = []
    there = ("inktest-a", "inktestb-a")
    monkeypatch.setattr(places, "netns_remove", removed.append)
    monkeypatch.setattr(places, "netns_with_prefix", lambda prefix: [name for name in there if name.startswith(prefix)])
    places.clear(here)
    assert removed == ["inktest-a"]
    assert not here.state.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_ci_run_takes_its_cache_away_when_it_is_ended(tmp_path, number):
    said = 'echo "$INNKEEPER_CACHE" >"$OUT/cache.new"; mv "$OUT/cache.new" "$OUT/cache"'
    (tmp_path / "make").write_text(f"#!/bin/sh\n{said}\nexec sleep 30\n")
    (tmp_path / "make").chmod(0o755)
    run = subprocess.Popen(
        [CHECKOUT / ".ci" / "run"],
        env={**os.environ, "OUT": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        start_new_session=True,
    )
    wait_until((tmp_path / "cache").exists, "make is at work", timeout_s=20, poll_s=0.05)
    cache = Path((tmp_path / "cache").read_text().strip())
    assert cache.is_dir()
    os.killpg(run.pid, number)
    assert run.wait(timeout=20) == 130
    assert not cache.exists()
