"""libvirt's event loop, one thread in each process that talks to hosts. Keep-alive needs it."""

import logging
import os
import threading
import time

import libvirt

logger = logging.getLogger(__name__)
_AGAIN_AFTER_S = 1.0
_lock = threading.Lock()
_registered_in: int | None = None


def start_event_loop() -> bool:
    """Run libvirt's event loop in this process; return whether it runs.

    Call it before the first connection is opened. False in a process forked from one that had it running: the
    child has a copy of the parent's watches and would take its messages, so it goes without.
    """
    global _registered_in
    with _lock:
        if _registered_in is None:
            libvirt.registerErrorHandler(_ignore, None)
            libvirt.virEventRegisterDefaultImpl()
            _registered_in = os.getpid()
            threading.Thread(target=_run, name="libvirt-events", daemon=True).start()
        return _registered_in == os.getpid()


def _run() -> None:
    while True:
        try:
            libvirt.virEventRunDefaultImpl()
        except Exception:  # should this thread end, no event is heard and no connection kept alive any more
            logger.exception("libvirt's event loop stumbled; it goes on")
            time.sleep(_AGAIN_AFTER_S)


def _ignore(_context: object, _error: object) -> None:
    """libvirt would print every error on standard error; they are all raised anyway."""
