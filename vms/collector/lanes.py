"""Threads of a fixed number, and what becomes of one that does not come back."""

import logging
import queue
import threading
import time
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, close_old_connections, connection

logger = logging.getLogger(__name__)
_LOST = "-lost"
LOST_LIMIT = 16  # threads that never came back, of the whole process


class Lane:
    """Does pieces of work in the order they come, in ``size`` threads of its own.

    ``with_database`` False: its work uses none, and holds no connection to it.
    """

    lost = 0  # of all lanes; several threads count
    _counting = threading.Lock()

    def __init__(self, name: str, *, size: int, with_database: bool = False) -> None:
        self._name, self._size, self._with_database = name, size, with_database
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False
        for _ in range(size):
            self._add_thread()

    def submit(self, work: Callable[[], None]) -> None:
        """Have it done; whatever it raises is logged."""
        self._work.put(work)

    def close(self) -> None:
        """End its threads after what they do now; work that is queued is not done any more."""
        self._closed = True
        for _ in self._threads:
            self._work.put(None)

    def join(self, *, until: float) -> None:
        """Wait for the threads of a closed lane, at most to this moment of the monotonic clock."""
        for thread in self._threads:
            if not is_lost(thread):
                thread.join(max(0.0, until - time.monotonic()))

    def replace(self, thread: threading.Thread) -> None:
        """Give one of the lane's threads up: another one takes its place."""
        self._count_lost(1)
        thread.name = self._name + _LOST
        self._add_thread()

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        me = threading.current_thread()
        while me.name == self._name:
            work = self._work.get()
            if work is None or self._closed:
                connection.close()
                return
            try:
                if self._with_database:
                    close_old_connections()
                work()
            except (OperationalError, InterfaceError) as error:
                logger.warning("collector: %s: the database is away: %s", self._name, error)
                connection.close()
            except Exception:
                logger.exception("collector: %s failed", self._name)
                if self._with_database:
                    connection.close()
        if self._with_database:
            connection.close()
        self._count_lost(-1)

    @classmethod
    def _count_lost(cls, change: int) -> None:
        with Lane._counting:
            Lane.lost += change


def is_lost(thread: threading.Thread | None = None) -> bool:
    """True when a thread (None: this one) was given up: nobody waits for what it found."""
    return (thread or threading.current_thread()).name.endswith(_LOST)
