"""Keep what a container prints on its console, which libvirt itself does for full machines only."""

import os

from innkeeper_guest import CONSOLE_DIRECTORY
from innkeeper_process import leave

# Two files, each the output of at most 256 reads of 4 KiB: a container can fill 2 MiB of the host, not more.
# dd ends with an error when the container's end of the terminal is closed.
_KEEPER = 'while dd bs=4096 count=256 of="$1" status=none && [ -s "$1" ]; do mv "$1" "$1.1"; done'


def keep(name: str, terminal: str) -> None:
    """Start copying the terminal's output to the console log, from now until the container ends."""
    log = log_of(name)
    for path in (log, f"{log}.1"):
        if os.path.exists(path):
            os.unlink(path)
    os.umask(0o077)
    output = os.open(terminal, os.O_RDONLY | os.O_NOCTTY)
    leave("sh", "-c", _KEEPER, "innkeeper-console", log, stdin=output)
    os.close(output)


def log_of(name: str) -> str:
    """Return the path of a container's console log."""
    return f"{CONSOLE_DIRECTORY}/{name}.log"
