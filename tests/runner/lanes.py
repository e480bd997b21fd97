"""The two lanes of a run, each a thread that runs its batches one after the other."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from lab.processes import Process
from tests.runner.places import Places
from tests.runner.prepare import ImageBuilds
from tests.runner.report import Report, Result
from tests.runner.suites import Batch

_END_TIMEOUT_S = 90.0  # what tests may take to clean up after an interrupt
_NO_TESTS = 5  # pytest's exit status when it found nothing to run


class Lane(threading.Thread):
    """Runs batches in a network namespace; ``say`` prints one line.

    Whatever goes wrong ends up in ``report``: each batch is either counted there or a problem. With ``narrowed`` the
    caller chose tests, so a batch may have none.
    """

    def __init__(
        self,
        batches: Iterable[Batch],
        *,
        places: Places,
        netns: str | None,
        environment: Mapping[str, str],
        builds: ImageBuilds,
        report: Report,
        say: Callable[[str], None],
        narrowed: bool = False,
    ) -> None:
        super().__init__(name=netns)
        self._batches = [*batches]
        self._places = places
        self._netns = netns
        self._environment = environment
        self._builds = builds
        self._report = report
        self._say = say
        self._narrowed = narrowed
        self._stopped = threading.Event()
        self._process: Process | None = None

    def run(self) -> None:
        for batch in self._batches:
            if self._stopped.is_set():
                return
            try:
                if self._wait_for_images(batch):
                    self._run(batch)
            except Exception as error:  # noqa: BLE001 - a thread that dies silently would leave a run that looks good
                self._report.broke(batch.title, f"broke off: {type(error).__name__}: {error}")

    def stop(self) -> None:
        """Interrupt the batch at work; its tests clean up after themselves."""
        self._stopped.set()
        if self._process is not None:
            self._process.stop(number=signal.SIGINT, timeout_s=_END_TIMEOUT_S)

    def _wait_for_images(self, batch: Batch) -> bool:
        for slug in batch.images:
            while not (self._places.images / slug).exists():
                if slug in self._builds.failed:
                    self._report.broke(batch.title, f"did not run: {self._builds.failed[slug]}")
                    return False
                if self._stopped.wait(0.5):
                    return False
        return True

    def _run(self, batch: Batch) -> None:
        self._say(f"▶ {batch.title}")
        name = batch.title.replace(" ", "-")
        log, results = self._places.logs / f"{name}.log", self._places.state / f"{name}.results"
        began = time.monotonic()
        self._process = Process(
            self._command(batch),
            log=log,
            environment={**self._environment, "INNKEEPER_TEST_RESULTS": str(results)},
            cwd=self._places.checkout,
            netns=self._netns,
        )
        status = self._process.wait() or 0
        if self._stopped.is_set():
            return
        self._process.kill()  # whatever it left of its group
        seconds = time.monotonic() - began
        failed, problem = self._count(batch, status, results, seconds)
        if problem:
            self._report.broke(batch.title, problem)
        self._report.ended.add(batch.title)
        good = not failed and not problem
        self._say(f"{'✓' if good else '✗'} {batch.title}: {seconds / 60:.1f} minutes, {failed} failed")
        if not good:
            self._say(failures(log))

    def _count(self, batch: Batch, status: int, results: Path, seconds: float) -> tuple[int, str]:
        """Add a batch's results to the report. Returns how many failed, and what else is wrong with the batch."""
        if not batch.arguments:
            self._report.results.append(Result("tests/check/make check", "failed" if status else "passed", seconds))
            return int(bool(status)), ""
        before = len(self._report.results)
        failed = self._report.read(results)
        if status == _NO_TESTS or len(self._report.results) == before:
            empty = self._narrowed and status in (0, _NO_TESTS)
            return failed, "" if empty else f"ran no test (status {status})"
        return failed, f"ended with status {status}" if status and not failed else ""

    def _command(self, batch: Batch) -> list[str]:
        if not batch.arguments:
            return ["make", "--no-print-directory", "check"]
        options = ["-q", "-p", "tests.runner.plugin", "-p", "no:cacheprovider", "--tb=short"]
        return [str(self._places.python), "-m", "pytest", *options, *batch.arguments]


def failures(log: Path, *, limit: int = 400) -> str:
    """Return the part of a log that says what failed."""
    lines = log.read_text(errors="replace").splitlines()
    marks = [i for i, line in enumerate(lines) if line.startswith("=") and ("FAILURES" in line or "ERRORS" in line)]
    shown = lines[marks[0] :] if marks else lines[-60:]
    if len(shown) > limit:
        shown = [*shown[: limit // 2], f"… {len(shown) - limit} lines more in the log …", *shown[-limit // 2 :]]
    return "\n".join(shown)


def test_environment(places: Places, *, database_url: str, redis_url: str, full: bool) -> dict[str, str]:
    """Return the environment of every batch: the caller's, and where this run's services are."""
    path = f"{places.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    dropped = {name for name in os.environ if name.startswith(("INNKEEPER_", "DJANGO_", "CELERY_", "PYTEST_"))}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {
        **kept,
        "PATH": path,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DJANGO_SETTINGS_MODULE": "panel.settings.test",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "INNKEEPER_CACHE": str(places.cache),
        "INNKEEPER_TEST_NAME": places.name,
        "INNKEEPER_TEST_STATE": str(places.state),
        "INNKEEPER_TEST_RUN": str(places.run_dir),
        "INNKEEPER_TEST_IMAGES": str(places.images),
        **({"INNKEEPER_TEST_FULL": "1", "INNKEEPER_TEST_KERNELS": str(places.kernels)} if full else {}),
    }
