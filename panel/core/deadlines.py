"""Calls that may hang, bounded from outside: the caller goes on, the stuck thread is left behind and counted."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from panel.core.logs import carried

T = TypeVar("T")
ABANDONED_LIMIT = 5
MEANWHILE_S = 1.0
_abandoned = 0
_count_lock = threading.Lock()


class DeadlinePassedError(Exception):
    """The call did not return in time; it may still work later."""


def call_within(deadline_s: float, call: Callable[[], T], *, meanwhile: Callable[[], None] | None = None) -> T:
    """Return ``call()``, or raise DeadlinePassedError after ``deadline_s`` and leave its thread behind.

    ``meanwhile`` is called here every second until then; what it raises ends the waiting too.
    """
    outcome: dict[str, Any] = {}
    done = threading.Event()

    def target() -> None:
        try:
            outcome["value"] = call()
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread
            outcome["error"] = error
        finally:
            done.set()

    threading.Thread(target=carried(target), name="host-call", daemon=True).start()
    if not _waited(done, deadline_s, meanwhile):
        _count_abandoned()
        raise DeadlinePassedError
    if "error" in outcome:
        raise outcome["error"]
    value: T = outcome["value"]
    return value


def _waited(done: threading.Event, deadline_s: float, meanwhile: Callable[[], None] | None) -> bool:
    if meanwhile is None:
        return done.wait(deadline_s)
    deadline = time.monotonic() + deadline_s
    while not done.wait(max(0.0, min(MEANWHILE_S, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            return False
        meanwhile()
    return True


def _count_abandoned() -> None:
    global _abandoned
    with _count_lock:
        _abandoned += 1


def too_many_abandoned() -> bool:
    """True when this process has left so many threads behind that it should be replaced."""
    return _abandoned >= ABANDONED_LIMIT
