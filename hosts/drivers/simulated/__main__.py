"""Run the simulated server: ``python -m hosts.drivers.simulated --socket PATH [--state FILE]``.

Ends on SIGTERM or SIGINT. With ``--state`` the hosts are read from the file at the start and written to
it at the end and every ten seconds when anything was called.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from hosts.drivers.simulated.fleet import Fleet
from hosts.drivers.simulated.server import Connection

SAVE_INTERVAL_S = 10
LOG_SIZE = 50_000  # calls; about 1 KiB each


def main() -> int:
    """Read the arguments and serve until told to end."""
    parser = argparse.ArgumentParser(prog="python -m hosts.drivers.simulated", description="Serve simulated hosts.")
    parser.add_argument("--socket", type=Path, required=True, help="unix socket to listen on")
    parser.add_argument("--state", type=Path, help="file to keep the hosts in; without it they end with the server")
    parser.add_argument("--log-size", type=int, default=LOG_SIZE, help="how many calls to remember")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input is closed")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    if is_served(options.socket):
        parser.exit(1, f"Another simulated server listens on {options.socket}.\n")
    options.socket.unlink(missing_ok=True)
    fleet = Fleet(log_size=options.log_size)
    if options.state is not None and options.state.exists():
        fleet.load(options.state)
    asyncio.run(serve(fleet, options.socket, state=options.state, with_parent=options.with_parent))
    return 0


def is_served(path: Path) -> bool:
    """True when somebody answers on the socket; a socket nobody holds is a leftover."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True


async def serve(fleet: Fleet, path: Path, *, state: Path | None, with_parent: bool) -> None:
    """Answer until a signal to end comes; then save and take the socket away.

    ``with_parent``: also when standard input ends, which it does when the process that holds its other
    end is killed.
    """
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), ending.set)
    server = await loop.create_unix_server(lambda: Connection(fleet), str(path), backlog=512)
    os.chmod(path, 0o660)
    try:
        while not ending.is_set():
            await _wait(ending)
            if state is not None and fleet.is_dirty:
                fleet.save(state)
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def _wait(ending: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(ending.wait(), SAVE_INTERVAL_S)
    except TimeoutError:
        return


if __name__ == "__main__":
    sys.exit(main())
