"""One ``make up`` at a time for a checkout."""

import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path

from panel.setup.errors import SetupError
from panel.setup.layout import Layout
from panel.setup.processes import ProcessRef, wait_for

_STOP_TIMEOUT_S = 60.0


def running(layout: Layout) -> ProcessRef | None:
    """Return the process of the ``make up`` that runs for this checkout."""
    return ProcessRef.load(_owner_file(layout))


def stop(layout: Layout) -> bool:
    """Stop a running ``make up`` as Ctrl-C would. Returns False when none runs.

    Raises:
        SetupError: it did not end in time.
    """
    process = running(layout)
    if process is None:
        return False
    process.send(signal.SIGTERM)
    if not wait_for(lambda: not process.is_alive(), timeout_s=_STOP_TIMEOUT_S, poll_s=0.2):
        raise SetupError(f"Innkeeper (process {process.pid}) does not stop; look at {layout.logs}.")
    return True


class RunLock:
    """Held while ``make up`` runs; the kernel lets go of it when the process dies."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._descriptor = -1

    def __enter__(self) -> "RunLock":
        self._descriptor = os.open(self._layout.run_dir / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            owner = running(self._layout)
            where = f" as process {owner.pid}" if owner else ""
            raise SetupError(f"Innkeeper runs already{where}: stop it there with Ctrl-C, or with make stop.") from None
        own = ProcessRef.of(os.getpid())
        if own is not None:
            own.save(_owner_file(self._layout))
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(FileNotFoundError):
            _owner_file(self._layout).unlink()
        os.close(self._descriptor)


def _owner_file(layout: Layout) -> Path:
    return layout.run_dir / "up.json"
