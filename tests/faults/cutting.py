"""Cutting a real worker at a checkpoint: the hook of a panel's processes, and how a test says where.

An order is a file; the first process that stands at its place takes it, so that each order is carried out once.
"""

import json
import os
import signal
import time
from enum import StrEnum
from pathlib import Path

HOOK = "tests.faults.cutting.hook"
FOLDER = "INNKEEPER_CUT"  # in the environment of the panel's processes: where orders are left


class Cut(StrEnum):
    """What becomes of the process that stands at the checkpoint."""

    CHILD = "child"  # it is killed
    WORKER = "worker"  # all processes of its worker are killed
    FREEZE = "freeze"  # it is stopped, until the test lets it go on


def cut_ordered(folder: Path, *, action: str, name: str, side: str, cut: Cut) -> None:
    """Have the next process that reaches a checkpoint cut there."""
    for old in ("order", "taken"):
        (folder / old).unlink(missing_ok=True)
    draft = folder / "draft"
    draft.write_text(json.dumps({"at": [action, name, side], "cut": cut}))
    draft.rename(folder / "order")


def cut_made(folder: Path, *, timeout_s: float = 60) -> int:
    """Wait until the order was carried out; return the id of the process."""
    deadline = time.monotonic() + timeout_s
    while not (folder / "taken").exists():
        assert time.monotonic() < deadline, "nobody came to the checkpoint"
        time.sleep(0.05)
    return int((folder / "taken").read_text())


def hook(action: str, name: str, side: str) -> None:
    """Carry out the order, if it is for this place."""
    folder = Path(os.environ[FOLDER])
    try:
        order = json.loads((folder / "order").read_text())
        if order["at"] != [action, name, side]:
            return
        (folder / "order").rename(folder / f"took-{os.getpid()}")  # only one process can
    except FileNotFoundError:
        return
    mark = folder / f"mark-{os.getpid()}"
    mark.write_text(str(os.getpid()))
    mark.rename(folder / "taken")
    if order["cut"] == Cut.WORKER:
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGSTOP if order["cut"] == Cut.FREEZE else signal.SIGKILL)
