"""What a supervised process is."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Service:
    """One process that runs as long as ``make up`` does.

    Attributes:
        user: who it runs as.
        store: the others depend on it, so it ends after them.
        pass_fds: open files it inherits.
        ready: True when it can be used; asked again and again after its start.
        stop_signal: what asks it to end in good order.
        stop_s: seconds it may take for that before it is killed with all its children.
    """

    name: str
    command: tuple[str, ...]
    user: str
    environment: Mapping[str, str]
    cwd: Path
    log: Path
    ready: Callable[[], bool] = field(default=lambda: True)
    ready_s: float = 30.0
    store: bool = False
    pass_fds: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_s: float = 8.0
