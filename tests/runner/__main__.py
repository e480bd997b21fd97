"""``python3 -m tests.runner [--full] [--workers N]``, as root, from the checkout: what ``make test`` does.

While working on something, run one batch with options for pytest: ``--only lab -- -k path -x``. A second run beside
another needs a letter of its own: ``INNKEEPER_TEST_LETTER=b``.

Ends with status 0 when everything passed; 1 otherwise; 130 after Ctrl-C. Leaves nothing behind but the image cache
and, when something failed, the logs in ``var/test-logs``.
"""

import argparse
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from lab.namespaces import netns_make
from lab.processes import LabError
from lab.stores import Postgres, Redis
from panel.setup.errors import SetupError
from panel.setup.steps import run_steps
from tests.runner import prepare
from tests.runner.lanes import Lane, test_environment
from tests.runner.places import Places, claim, clear, find_places, keep_logs
from tests.runner.report import Report
from tests.runner.suites import batches, load_budgets

_LANES = ("a", "b")
_printing = threading.Lock()


def main() -> int:
    """Run everything; return the exit status."""
    parser = argparse.ArgumentParser(prog="make test", description="Run every suite.")
    parser.add_argument("--full", action="store_true", help="the uncapped matrices too; no budgets")
    parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 2), help="of the pure Python lane")
    parser.add_argument("--only", action="append", metavar="BATCH", help="check, python, browser, real drivers, lab")
    parser.add_argument("pytest", nargs="*", help="more options for every pytest, after --")
    options = parser.parse_args()
    if os.geteuid() != 0:
        say("The tests make namespaces and start hypervisors: run make test as root.")
        return 1
    # SIGINT too: a shell's background job starts with it ignored, and so would everything that it starts.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    places = find_places(Path.cwd())
    try:
        lock = claim(places)
    except LabError as error:
        say(str(error))
        return 1
    with lock:
        status = _guarded(places, options)
        Path(lock.name).unlink()
    return status


def _guarded(places: Places, options: argparse.Namespace) -> int:
    """Run, and clean up whatever happens; a second Ctrl-C does not cut the cleaning."""
    status = 1
    try:
        status = _run(places, options)
    except (SetupError, LabError) as error:
        say(f"\n{error}")
    except KeyboardInterrupt:
        say("Interrupted; cleaning up.")
        status = 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if status == 1:
            keep_logs(places)
        clear(places)
    if status == 1:
        say(f"Logs: {places.kept_logs}")
    return status


def _run(places: Places, options: argparse.Namespace) -> int:
    began = time.monotonic()
    budgets = load_budgets(places.checkout / "tests" / "budgets.toml")
    report = Report(budgets, forbid_skips=os.environ.get("CI") == "true", full=options.full)
    builds = prepare.ImageBuilds(places)
    packages, *others = prepare.steps(places)
    run_steps([packages])
    builds.start()
    lanes: list[Lane] = []
    stores: list[Postgres | Redis] = []
    try:
        run_steps(others)
        for name in _LANES:
            netns_make(places.netns(name))
        environment = _start_stores(places, stores, full=options.full)
        lanes += _lanes(places, options, environment=environment, builds=builds, report=report)
        for lane in lanes:
            lane.start()
        while any(lane.is_alive() for lane in lanes):
            time.sleep(0.2)  # not join(): a signal must find the main thread awake
        builds.stop()
    finally:
        _stop(lanes, builds, stores)
    report.seconds = time.monotonic() - began
    for line in report.lines():
        say(line)
    return 1 if report.verdict() else 0


def _start_stores(places: Places, stores: list[Postgres | Redis], *, full: bool) -> dict[str, str]:
    netns = places.netns("a")
    postgres = Postgres(directory=places.state / "postgres", sockets=places.run_dir / "pg", netns=netns)
    redis = Redis(directory=places.state / "redis", socket=places.run_dir / "redis.sock", netns=netns)
    stores += [postgres, redis]
    for store in (postgres, redis):
        store.start()
    database_url = postgres.database_make("innkeeper")
    return test_environment(places, database_url=database_url, redis_url=redis.url, full=full)


def _lanes(
    places: Places,
    options: argparse.Namespace,
    *,
    environment: dict[str, str],
    builds: prepare.ImageBuilds,
    report: Report,
) -> list[Lane]:
    wanted = [
        replace(batch, arguments=(*batch.arguments, *options.pytest)) if batch.arguments else batch
        for batch in batches(places.checkout, workers=options.workers)
        if not options.only or batch.title in options.only
    ]
    return [
        Lane(
            [batch for batch in wanted if batch.lane == lane],
            places=places,
            netns=places.netns(lane),
            environment={**environment, "INNKEEPER_TEST_NETNS": places.netns(lane)},
            builds=builds,
            report=report,
            say=say,
        )
        for lane in _LANES
    ]


def _stop(lanes: list[Lane], builds: prepare.ImageBuilds, stores: list[Postgres | Redis]) -> None:
    """Stop what still runs, all lanes at the same time, then the stores they use."""
    parts: list[Lane | prepare.ImageBuilds] = [*lanes, builds]
    threads = [threading.Thread(target=part.stop) for part in parts]
    for thread in threads:
        thread.start()
    for thread in (*threads, *(lane for lane in lanes if lane.is_alive())):
        thread.join()
    for store in reversed(stores):
        store.stop()


def say(text: str) -> None:
    """Print whole lines, one caller at a time."""
    with _printing:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
