"""``make up`` in the background, for machines without anyone at the terminal and for tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

from panel.setup.layout import Layout
from panel.setup.renewal import make_way


def up_detached(layout: Layout, environment: Mapping[str, str]) -> int:
    """Start ``up`` as a process of its own, show what it prints until the panel is up, and leave it running.

    Returns its exit status when it ended instead.
    """
    if not make_way(layout):
        print("Innkeeper runs already, and its code is the clone's (make status says more; make stop stops it).")
        return 0
    ready = layout.run_dir / "ready"
    ready.unlink(missing_ok=True)
    layout.logs.mkdir(mode=0o750, parents=True, exist_ok=True)
    log = layout.logs / "up.log"
    log.unlink(missing_ok=True)
    # The first password comes through a pipe of its own: what is in a log has been given to whoever reads logs.
    passed, given = os.pipe()
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "panel.setup", "up", "--password-to", str(given)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            cwd=layout.checkout,
            start_new_session=True,
            pass_fds=(given,),
        )
    os.close(given)
    with log.open("rb") as shown:
        try:
            while process.poll() is None and not ready.exists():
                _pass_on(shown.read())
                time.sleep(0.1)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
        _pass_on(shown.read())
    _pass_on(_waiting(passed))
    return process.returncode or 0


def _waiting(pipe: int) -> bytes:
    """Return what was written to a pipe so far, and close it."""
    os.set_blocking(pipe, False)
    with os.fdopen(pipe, "rb", buffering=0) as stream:
        return stream.read(4096) or b""


def _pass_on(data: bytes) -> None:
    with suppress(BrokenPipeError):  # whoever read along has gone; the panel starts all the same
        os.write(sys.stdout.fileno(), data)
