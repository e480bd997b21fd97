"""Hypervisor calls of a job: fenced before, bounded in time, and the connection dropped when it hangs."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.db import InterfaceError, OperationalError

from hosts import registry
from hosts.drivers.base import HypervisorDriver
from panel.core.deadlines import DeadlinePassedError, call_within
from panel.core.errors import HostTimeoutError, JobCancelledError, JobLostError
from panel.core.logs import process_kind
from panel.core.metrics import HOST_CALL_SECONDS, HOST_CALLS_ABANDONED

logger = logging.getLogger(__name__)


def guarded(
    obtain: Callable[[], HypervisorDriver],
    *,
    fence: Callable[[], None],
    deadline_s: Callable[[], float],
    meanwhile: Callable[[], None] | None = None,
) -> HypervisorDriver:
    """Return a driver whose every call first asks ``fence`` (raises when the job was overtaken) and ends
    with HostTimeoutError after ``deadline_s()`` seconds. ``meanwhile`` is called every second of a long one.
    """
    return cast(HypervisorDriver, _Guarded(obtain, fence, deadline_s, meanwhile))


class _Guarded:
    def __init__(
        self,
        obtain: Callable[[], HypervisorDriver],
        fence: Callable[[], None],
        deadline_s: Callable[[], float],
        meanwhile: Callable[[], None] | None,
    ) -> None:
        self._obtain, self._fence, self._deadline_s, self._meanwhile = obtain, fence, deadline_s, meanwhile

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._fence()
            driver = self._obtain()
            method = getattr(driver, name)
            try:
                with timed(name, level=logging.INFO):
                    return call_within(self._deadline_s(), lambda: method(*args, **kwargs), meanwhile=self._meanwhile)
            except (JobLostError, JobCancelledError, OperationalError, InterfaceError):
                registry.forget(driver)  # said meanwhile: what was asked for must not go on by itself
                raise
            except DeadlinePassedError:
                registry.forget(driver)
                raise HostTimeoutError(detail=f"{name} did not return in {self._deadline_s():.0f} s") from None

        return call


class Measured:
    """A driver whose calls are measured, for whoever bounds them by other means.

    ``was_cut`` tells of a call that failed whether it did because it was overdue.
    """

    def __init__(self, driver: HypervisorDriver, *, was_cut: Callable[[], bool]) -> None:
        self._driver, self._was_cut = driver, was_cut

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._driver, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            with timed(name, level=logging.DEBUG, was_cut=self._was_cut):
                return method(*args, **kwargs)

        return call


@contextmanager
def timed(name: str, *, level: int, was_cut: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Measure how long a hypervisor takes to answer a call that is made in the block, and log it at ``level``.

    ``was_cut`` tells of one that failed whether it did because it was overdue.
    """
    began, outcome = time.monotonic(), "error"
    try:
        yield
        outcome = "ok"
    except Exception as error:
        if isinstance(error, DeadlinePassedError | HostTimeoutError) or was_cut():
            outcome = "timeout"
            HOST_CALLS_ABANDONED.labels(process_kind(), name).inc()
        raise
    finally:
        seconds = time.monotonic() - began
        HOST_CALL_SECONDS.labels(process_kind(), name, outcome).observe(seconds)
        said = {"call": name, "outcome": outcome, "duration_ms": round(seconds * 1000)}
        logger.log(logging.WARNING if outcome == "timeout" else level, "host call", extra=said)
