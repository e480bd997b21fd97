"""A PostgreSQL and a Redis of the tests' own, on unix sockets; fast, because what they hold need not survive."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.processes import LabError, Process, call, wait_ready
from panel.setup.accounts import DATABASE_USER, as_user

_INSTALLED = Path("/usr/lib/postgresql")
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # what was committed outlives the server's processes all the same, and need not outlive the machine
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_CLIENTS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


class Postgres:
    """One cluster in ``directory``; its socket is in ``sockets``, which must be a short path."""

    def __init__(self, *, directory: Path, sockets: Path, netns: str | None = None, max_connections: int = 200) -> None:
        self._data = directory / "data"
        self._directory = directory
        self._sockets = sockets
        self._netns = netns
        self._max_connections = max_connections
        self._process: Process | None = None

    def url(self, database: str) -> str:
        """Return DATABASE_URL for one of its databases."""
        return f"postgres://{DATABASE_USER}@/{self._sockets}/{database}"

    @property
    def log(self) -> Path:
        return self._directory / "postgresql.log"

    def start(self) -> None:
        """Make the cluster if there is none, and start it. Raises: LabError."""
        for folder in (self._directory, self._sockets):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.chown(folder, DATABASE_USER)
        if not (self._data / "PG_VERSION").exists():
            initdb = [str(_programs() / "initdb"), "--pgdata", str(self._data), "--no-sync", "--auth=trust"]
            call(as_user(DATABASE_USER, [*initdb, "--encoding=UTF8", "--locale=C.UTF-8"]))
        settings = _SETTINGS | {
            "unix_socket_directories": str(self._sockets),
            "max_connections": str(self._max_connections),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(_programs() / "postgres"), "-D", str(self._data), *options]
        self._process = Process(as_user(DATABASE_USER, command), log=self.log, cwd=Path("/"), netns=self._netns)
        wait_ready(self._process, self._answers, name="PostgreSQL")

    def stop(self) -> None:
        """Stop it: connections are cut, nothing is lost."""
        if self._process is not None:
            self._process.stop(number=signal.SIGINT, timeout_s=30)
            self._process = None

    def restart(self, *, immediate: bool = False) -> None:
        """Restart it as ``pg_ctl restart`` does, in its mode fast or immediate: that one recovers from its log."""
        if self._process is not None:
            self._process.stop(number=signal.SIGQUIT if immediate else signal.SIGINT, timeout_s=30)
        self.start()

    def database_make(self, name: str, *, template: str = "template1") -> str:
        """Make a database and return its DATABASE_URL."""
        self._psql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def dump(self, database: str) -> str:
        """Return a database's rows as text."""
        return call(["pg_dump", "-h", str(self._sockets), "-U", DATABASE_USER, "--data-only", database])

    def clients(self) -> int:
        """Return how many connections others have now."""
        return int(self._psql(_CLIENTS))

    def _psql(self, statement: str) -> str:
        return call(["psql", "-h", str(self._sockets), "-U", DATABASE_USER, "-d", "postgres", "-AtXqc", statement])

    def _answers(self) -> bool:
        try:
            return self._psql("SELECT 1").strip() == "1"
        except LabError:
            return False


class Redis:
    """One server that keeps everything in memory."""

    def __init__(self, *, directory: Path, socket: Path, netns: str | None = None) -> None:
        self._directory = directory
        self.socket = socket
        self._netns = netns
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    def start(self) -> None:
        """Start it, empty. Raises: LabError."""
        for folder in (self._directory, self.socket.parent):
            folder.mkdir(parents=True, exist_ok=True)
        options = {"port": "0", "unixsocket": str(self.socket), "save": "", "rdbcompression": "no"}
        options["dir"] = str(self._directory)
        command = ["redis-server", *(word for name, value in options.items() for word in (f"--{name}", value))]
        self._process = Process(command, log=self._directory / "redis.log", netns=self._netns)
        wait_ready(self._process, self._answers, name="Redis")

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it accept and answer nothing in the block (SIGSTOP)."""
        if self._process is None:
            raise LabError("Redis is not running.")
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def command(self, *words: str) -> str:
        """Send one command and return what redis-cli prints."""
        return call(self._cli(words))

    def _cli(self, words: Sequence[str]) -> list[str]:
        return ["redis-cli", "-s", str(self.socket), *words]

    def _answers(self) -> bool:
        return subprocess.run(self._cli(["PING"]), capture_output=True, check=False).stdout.strip() == b"PONG"


def _programs() -> Path:
    found = [path.parent for path in _INSTALLED.glob("*/bin/initdb") if path.parent.parent.name.isdigit()]
    if not found:
        raise LabError("PostgreSQL is not installed: install the package postgresql.")
    return max(found, key=lambda path: int(path.parent.name))
