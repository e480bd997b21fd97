"""Hypervisor calls of a job: fenced before, bounded in time, and the connection dropped when it hangs."""

from collections.abc import Callable
from typing import Any, cast

from hosts import registry
from hosts.drivers.base import HypervisorDriver
from panel.core.deadlines import DeadlinePassedError, call_within
from panel.core.errors import HostTimeoutError


def guarded(
    obtain: Callable[[], HypervisorDriver], *, fence: Callable[[], None], deadline_s: Callable[[], float]
) -> HypervisorDriver:
    """Return a driver whose every call first asks ``fence`` (raises when the job was overtaken) and ends
    with HostTimeoutError after ``deadline_s()`` seconds.
    """
    return cast(HypervisorDriver, _Guarded(obtain, fence, deadline_s))


class _Guarded:
    def __init__(
        self, obtain: Callable[[], HypervisorDriver], fence: Callable[[], None], deadline_s: Callable[[], float]
    ) -> None:
        self._obtain, self._fence, self._deadline_s = obtain, fence, deadline_s

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._fence()
            driver = self._obtain()
            method = getattr(driver, name)
            try:
                return call_within(self._deadline_s(), lambda: method(*args, **kwargs))
            except DeadlinePassedError:
                registry.forget(driver)
                raise HostTimeoutError(detail=f"{name} did not return in {self._deadline_s():.0f} s") from None

        return call
