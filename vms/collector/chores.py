"""What every collector does beside watching hosts: the sweeper, what a jump of the clock left, the daily work."""

import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import close_old_connections, connection

from hosts.services.observation import seen_not_in_future
from hosts.usage.store import partitions_ensure
from panel.core.maintenance import daily_maintenance
from panel.core.sweeper import sweep
from vms.services.observation import observed_not_in_future
from vms.services.reconcile.record import differences_forget

logger = logging.getLogger(__name__)
_DAILY_EVERY_S = 3600.0
_CLOCK_EVERY_S = 15.0


def run_chores(stop: threading.Event) -> None:
    """Block until ``stop`` is set."""
    next_daily = next_clock = 0.0
    while not stop.is_set():
        guarded("sweep", sweep)
        if time.monotonic() >= next_clock:
            guarded("clock of hosts", seen_not_in_future)
            guarded("clock of guests", observed_not_in_future)
            next_clock = time.monotonic() + _CLOCK_EVERY_S
        if time.monotonic() >= next_daily:
            guarded("daily", daily_maintenance)
            guarded("usage partitions", partitions_ensure)
            guarded("old differences", differences_forget)
            next_daily = time.monotonic() + _DAILY_EVERY_S
        stop.wait(settings.JOB_SWEEP_S)
    connection.close()


def guarded(what: str, call: Callable[[], object]) -> None:
    """Run one part; whatever it meets (a database that is away too) must not end the collector."""
    try:
        close_old_connections()
        call()
    except Exception:
        logger.exception("collector: %s failed", what)
        connection.close()
