"""How far a step is that copies data: told by the driver in its own thread, written down by the job's."""

import logging
import time

from django.db import InterfaceError, OperationalError, connection

from panel.core.operations import Operation

logger = logging.getLogger(__name__)


class CopyProgress:
    """The bytes of the copies of one step, made one after the other.

    ``told`` is a driver's ``progress``. ``report`` is for the job's own thread: every second while a call is under
    way, and after it.
    """

    def __init__(self, operation: Operation, *, step: str) -> None:
        self._operation, self._step = operation, step
        self._began: float | None = None
        self._expected_bytes = self._before_bytes = self._done_bytes = self._total_bytes = 0

    def expect(self, total_bytes: int) -> None:
        """Say how much all copies of the step will be, where that is known."""
        self._expected_bytes = total_bytes

    def begin(self) -> None:
        """Begin the next copy."""
        self._began = self._began or time.monotonic()
        self._before_bytes += self._done_bytes
        self._done_bytes = self._total_bytes = 0

    def told(self, done_bytes: int, total_bytes: int) -> None:
        """Take what a driver says of the present copy."""
        self._done_bytes, self._total_bytes = done_bytes, total_bytes

    def report(self) -> None:
        """Write down how far the step is; nothing before its first copy and after its end.

        A database that is away for a moment ends no copy: what comes after it asks whether the job is still its own.

        Raises:
            JobLostError: another attempt has taken over.
        """
        if self._began is None or self._operation.step_now.name != self._step:
            return
        done = self._before_bytes + self._done_bytes
        total = max(self._expected_bytes, self._before_bytes + self._total_bytes)
        rate_bytes_s = int(done / max(0.001, time.monotonic() - self._began))
        percent = 100 * done // total if total else 0
        try:
            self._operation.progress(percent, bytes_done=done, bytes_total=total, rate_bytes_s=rate_bytes_s)
        except (OperationalError, InterfaceError) as error:
            logger.warning("progress not written: %s", error)
            connection.close()  # the next one begins with a new one
