"""Hypervisor calls of a job: fenced before, bounded in time, and the connection dropped when it hangs."""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from hosts import registry
from hosts.drivers.base import HypervisorDriver
from panel.core.deadlines import DeadlinePassedError, call_within
from panel.core.errors import HostTimeoutError
from panel.core.logs import process_kind
from panel.core.metrics import HOST_CALL_SECONDS, HOST_CALLS_ABANDONED

T = TypeVar("T")
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
                return measured(
                    name,
                    self._deadline_s(),
                    lambda: method(*args, **kwargs),
                    level=logging.INFO,
                    meanwhile=self._meanwhile,
                )
            except DeadlinePassedError:
                registry.forget(driver)
                raise HostTimeoutError(detail=f"{name} did not return in {self._deadline_s():.0f} s") from None

        return call


def measured(
    name: str,
    deadline_s: float,
    call: Callable[[], T],
    *,
    level: int = logging.DEBUG,
    meanwhile: Callable[[], None] | None = None,
) -> T:
    """Return what a hypervisor answers; how long it took is measured, and logged at ``level``.

    Raises:
        DeadlinePassedError: it did not answer in time; its thread is left behind.
    """
    began, outcome = time.monotonic(), "error"
    try:
        answer = call_within(deadline_s, call, meanwhile=meanwhile)
        outcome = "ok"
    except DeadlinePassedError:
        outcome = "timeout"
        HOST_CALLS_ABANDONED.labels(process_kind(), name).inc()
        raise
    finally:
        seconds = time.monotonic() - began
        HOST_CALL_SECONDS.labels(process_kind(), name, outcome).observe(seconds)
        said = {"call": name, "outcome": outcome, "duration_ms": round(seconds * 1000)}
        logger.log(logging.WARNING if outcome == "timeout" else level, "host call", extra=said)
    return answer
