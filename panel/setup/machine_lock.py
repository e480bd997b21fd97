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
    path = _FOLDER / f"innkeeper-{name}"
    try:
        descriptor = _locked(path, wait=wait)
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path, *, wait: bool) -> int:
    """Return the descriptor of the file, locked. Raises: BlockingIOError: another has it, and ``wait`` is not set."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BaseException:
            os.close(descriptor)
            raise
        # Who had it before took the file away: then this lock is of a file that nobody else will find.
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
        os.close(descriptor)
