"""``make up`` in the background, for machines without anyone at the terminal and for tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

from panel.setup.errors import SetupError
from panel.setup.layout import Layout
from panel.setup.lock import running
from panel.setup.processes import wait_for

_STOP_TIMEOUT_S = 60.0


def up_detached(layout: Layout, environment: Mapping[str, str]) -> int:
    """Start ``up`` as a process of its own, show what it prints until the panel is up, and leave it running.

    Returns its exit status when it ended instead.
    """
    if running(layout) is not None:
        print("Innkeeper runs already.")
        return 0
    ready = layout.run_dir / "ready"
    ready.unlink(missing_ok=True)
    layout.logs.mkdir(mode=0o755, parents=True, exist_ok=True)
    log = layout.logs / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "panel.setup", "up"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            cwd=layout.checkout,
            start_new_session=True,
        )
    with log.open("rb") as shown:
        try:
            while process.poll() is None and not ready.exists():
                _pass_on(shown.read())
                time.sleep(0.1)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
        _pass_on(shown.read())
    return process.returncode or 0


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


def _pass_on(data: bytes) -> None:
    with suppress(BrokenPipeError):  # whoever read along has gone; the panel starts all the same
        os.write(sys.stdout.fileno(), data)
