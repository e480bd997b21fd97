"""``python3 -m tests.runner [--full] [--workers N]``, as root, from the checkout: what ``make test`` does.

While working on something, run one batch with options for pytest: ``--only lab -- -k path -x``. A second run beside
another needs a letter of its own: ``INNKEEPER_TEST_LETTER=b``.

Ends with status 0 when everything passed; 1 otherwise; 130 after Ctrl-C. Leaves nothing behind but the image cache
and, when something failed, the logs in ``var/test-logs``.
"""

import argparse
import os
import shutil
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
from tests.runner.suites import Batch, batches, load_budgets

_LANES = ("a", "b")


class Interrupts:
    """Turns the first signal that ends a program into KeyboardInterrupt; none of them cuts the cleaning."""

    def __init__(self) -> None:
        self._over = False

    def catch(self) -> None:
        # SIGINT too: a shell's background job starts with it ignored, and so would everything that it starts.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def ignore(self) -> None:
        """From now on. A handler, not SIG_IGN: that would be inherited by the programs that clean up."""
        self._over = True

    def _note(self, *_: object) -> None:
        if not self._over:
            self._over = True
            raise KeyboardInterrupt


interrupts = Interrupts()
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
    known = [batch.title for batch in batches(Path.cwd(), workers=options.workers)]
    unknown = [title for title in options.only or () if title not in known]
    if unknown:
        say(f"There is no batch {unknown[0]}; there are: {', '.join(known)}.")
        return 1
    interrupts.catch()
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
        interrupts.ignore()
        if status == 1:
            _keep_logs(places)
        clear(places)
    return status


def _keep_logs(places: Places) -> None:
    """Keep what explains a failure; if that fails too, the cleaning still follows."""
    try:
        keep_logs(places)
    except (OSError, shutil.Error) as error:
        say(f"The logs cannot be kept: {error}")
    else:
        say(f"Logs: {places.kept_logs}")


def _run(places: Places, options: argparse.Namespace) -> int:
    began = time.monotonic()
    budgets = load_budgets(places.checkout / "tests" / "budgets.toml")
    report = Report(budgets, forbid_skips=os.environ.get("CI") == "true", full=options.full)
    builds = prepare.ImageBuilds(places)
    packages, *others = prepare.steps(places, full=options.full)
    run_steps([packages])
    builds.start()
    lanes: list[Lane] = []
    stores: list[Postgres | Redis] = []
    try:
        run_steps(others)
        for name in _LANES:
            netns_make(places.netns(name))
        environment = _start_stores(places, stores, full=options.full)
        wanted = _wanted(places, options)
        report.wanted = tuple(batch.title for batch in wanted)
        lanes += _lanes(places, wanted, options, environment=environment, builds=builds, report=report)
        for lane in lanes:
            lane.start()
        while any(lane.is_alive() for lane in lanes):
            time.sleep(0.2)  # not join(): a signal must find the main thread awake
        builds.stop()
    finally:
        interrupts.ignore()
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
    for lane in _LANES:
        postgres.database_make(f"innkeeper_{lane}")
    database_url = postgres.url("innkeeper")
    return test_environment(places, database_url=database_url, redis_url=redis.url, full=full)


def _wanted(places: Places, options: argparse.Namespace) -> list[Batch]:
    return [
        replace(batch, arguments=(*batch.arguments, *options.pytest)) if batch.arguments else batch
        for batch in batches(places.checkout, workers=options.workers)
        if not options.only or batch.title in options.only
    ]


def _lanes(
    places: Places,
    wanted: list[Batch],
    options: argparse.Namespace,
    *,
    environment: dict[str, str],
    builds: prepare.ImageBuilds,
    report: Report,
) -> list[Lane]:
    return [
        Lane(
            [batch for batch in wanted if batch.lane == lane],
            places=places,
            netns=places.netns(lane),
            environment={
                **environment,
                "INNKEEPER_TEST_NETNS": places.netns(lane),
                "DATABASE_URL": f"{environment['DATABASE_URL']}_{lane}",  # pytest makes one beside it, named after it
            },
            builds=builds,
            report=report,
            say=say,
            narrowed=bool(options.pytest),
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


if __name__ == "__main__":
    sys.exit(main())
