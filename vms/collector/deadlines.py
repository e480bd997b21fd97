"""Deadlines of the collector's calls: whoever is overdue has its driver closed below it, which ends the call."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hosts import registry
from hosts.drivers.base import HypervisorDriver
from panel.core.errors import DriverError, HostTimeoutError

logger = logging.getLogger(__name__)
OnLost = Callable[[threading.Thread], None]
_LOOK_EVERY_S = 0.1
GIVE_UP_AFTER_S = 3.0  # a closed driver's call that has not ended by then never will


@dataclass(eq=False, slots=True)
class _Call:
    driver: HypervisorDriver
    due: float
    on_lost: OnLost
    closed: bool = False
    lost: bool = False
    thread: threading.Thread = field(default_factory=threading.current_thread)


class Deadlines:
    """Watches over the calls under way from one thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: set[_Call] = set()
        self._thread: threading.Thread | None = None

    @contextmanager
    def within(
        self, seconds: float, driver: HypervisorDriver, *, on_lost: Callable[[threading.Thread], None]
    ) -> Iterator[Callable[[], bool]]:
        """Bound a call that is made in the block. Gives what tells whether it was overdue and had its driver closed.

        ``on_lost`` is called with the thread when not even closing the driver ends the call: it is to be given up.

        Raises: HostTimeoutError when it was overdue.
        """
        call = _Call(driver, time.monotonic() + seconds, on_lost)
        with self._lock:
            self._calls.add(call)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
        try:
            yield lambda: call.closed
        except DriverError:
            if call.closed:
                raise HostTimeoutError from None
            raise
        finally:
            with self._lock:
                self._calls.discard(call)

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY_S)
            try:
                self._end_overdue(now=time.monotonic())
            except Exception:  # should this thread end, no call that hangs would ever end
                logger.exception("collector: a call that is overdue could not be ended")

    def _end_overdue(self, *, now: float) -> None:
        with self._lock:
            overdue = [call for call in self._calls if now >= call.due]
        for call in overdue:
            if not call.closed:
                call.closed = True
                # In a thread: closing should not take long, but nobody is to wait for it.
                threading.Thread(target=registry.forget, args=(call.driver,), daemon=True).start()
            elif not call.lost and now >= call.due + GIVE_UP_AFTER_S:
                self._give_up(call)

    def _give_up(self, call: _Call) -> None:
        """Give the thread up, unless its call has ended meanwhile: then it may be at work for somebody else."""
        with self._lock:
            if call in self._calls:
                call.lost = True
                call.on_lost(call.thread)
