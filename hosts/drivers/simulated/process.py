"""Starting the simulated server as a process of one's own, for tests, benchmarks and the demo."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from hosts.drivers.simulated.admin import SimulatedAdmin
from hosts.drivers.simulated.driver import SimulatedDriver, make_uri
from hosts.drivers.types import HostType
from panel.core.errors import HostUnreachableError

START_TIMEOUT_S = 20  # a cold interpreter on a busy machine


class SimulatedServer:
    """A running server; as a context manager it ends with the block, and with this process in any case.

    ``socket_path`` must be shorter than 107 bytes. Its state is lost unless ``state`` names a file.
    """

    def __init__(self, socket_path: Path, *, state: Path | None = None) -> None:
        self.socket_path = socket_path
        self._state = state
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's id. Raises: RuntimeError when it was not started."""
        if self._process is None:
            raise RuntimeError("The simulated server was not started.")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it listens. Raises: RuntimeError when it ends or stays silent."""
        command = [sys.executable, "-m", "hosts.drivers.simulated", "--with-parent", "--socket", str(self.socket_path)]
        if self._state is not None:
            command += ["--state", str(self._state)]
        self._process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stdin=subprocess.PIPE)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("The simulated server did not start.")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask it to save and end, and wait."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()  # closes the pipe too
            self._process = None

    def uri(self, host: str) -> str:
        """Return a host's URI."""
        return make_uri(host, self.socket_path)

    def driver(self, host: str, host_type: HostType = HostType.KVM) -> SimulatedDriver:
        """Return a new driver for a host."""
        return SimulatedDriver(host_type, self.uri(host))

    def admin(self) -> SimulatedAdmin:
        """Return a new admin client."""
        return SimulatedAdmin(self.socket_path)

    def _answers(self) -> bool:
        admin = self.admin()
        try:
            admin.list_hosts()
        except HostUnreachableError:
            return False
        finally:
            admin.close()
        return True
