"""Locks for what all checkouts of a machine share: only one of them changes it at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = Path("/run/lock")


@contextmanager
def machine_lock(name: str, *, wait: bool = True) -> Iterator[bool]:
    """Hold the machine's lock ``name``; the kernel lets go of it when this process dies.

    Yields False, without the lock, when another process has it and ``wait`` is not set.
    """
    _FOLDER.mkdir(parents=True, exist_ok=True)
    # The file stays: whoever removed it would take it from under those who wait for it.
    descriptor = os.open(_FOLDER / f"innkeeper-{name}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
