"""A whole site of its own for page tests: database, collected static files, demo rows, and uvicorn on a free port."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
REDIS_DB = 11  # beside the one of other tests, so that nobody runs the demo's jobs
START_S = 60.0
SEEN_EVERY_S = 20.0
SEEN = (
    "UPDATE hosts_hostconnection c SET last_seen_at = now() FROM hosts_host h "
    "WHERE h.id = c.host_id AND h.last_error = '' AND c.last_error = ''",
    "UPDATE hosts_host SET last_seen_at = now() WHERE last_error = ''",
    "UPDATE vms_guest SET observed_at = now() WHERE lifecycle = 'active' AND power_state <> 'unknown' "
    "AND observed_at > now() - interval '1 hour'",  # others are those that nobody looks at
)
SEED = "import django; django.setup(); from tests.browser.seed import main; main()"


@dataclass
class Site:
    """A running site. ``ids`` are the demo's objects by name."""

    url: str
    port: int
    ids: dict[str, str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start uvicorn and wait until it answers."""
        command = [sys.executable, "-m", "uvicorn", "panel.asgi:application", "--host", "127.0.0.1", "--port"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, str(self.port), "--log-level", "warning", "--timeout-graceful-shutdown", "1"],
                cwd=ROOT, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/accounts/login/", timeout=5).close()
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
                continue
            return
        raise RuntimeError(f"The site did not start; see {self.log}: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        """End uvicorn."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def sql(self, *statements: str) -> None:
        """Change rows as a worker would."""
        _sql(*statements, database=self.environment["DATABASE_URL"].rpartition("/")[2])

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """Let nobody in to the site's database, and cut off who is, for as long as the block lasts."""
        name = self.environment["DATABASE_URL"].rpartition("/")[2]
        cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        _sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", cut)
        try:
            yield
        finally:
            _sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    def path(self, template: str) -> str:
        """Return a path with ``{name}`` replaced by the demo's ids."""
        return template.format(**self.ids)


@contextmanager
def site_running(directory: Path) -> Iterator[Site]:
    """Build a site below ``directory`` and take it away afterwards, its database included."""
    name = f"innkeeper_pages_{os.getpid()}"
    environment = _environment(directory, name)
    _sql(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
    try:
        for command in (["migrate"], ["createcachetable"], ["collectstatic", "--noinput"]):
            _run([sys.executable, "manage.py", *command, "--verbosity", "0"], environment)
        ids: dict[str, str] = json.loads(_run([sys.executable, "-c", SEED], environment).splitlines()[-1])
        port = _free_port()
        site = Site(f"http://127.0.0.1:{port}", port, ids, environment, directory / "uvicorn.log")
        site.start()
        try:
            with _hosts_seen(name):
                yield site
        finally:
            site.stop()
    finally:
        _sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _environment(directory: Path, database: str) -> dict[str, str]:
    url = os.environ["DATABASE_URL"].split("?")[0]
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
        "DATABASE_URL": f"{url.rpartition('/')[0]}/{database}",
        "REDIS_URL": _other_redis(settings.REDIS_URL),
        "INNKEEPER_STATE": str(directory),
        "PYTHONPATH": str(ROOT),
    }


def _other_redis(url: str) -> str:
    if "db=" in url:
        return re.sub(r"db=\d+", f"db={REDIS_DB}", url)
    if url.startswith("unix:"):
        return f"{url}?db={REDIS_DB}"
    return re.sub(r"^(rediss?://[^/]*)(/\d*)?", rf"\1/{REDIS_DB}", url)


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} failed: {done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def _hosts_seen(database: str) -> Iterator[None]:
    """Do what the collector would: a host that had no error was seen just now, all the time."""
    done = threading.Event()

    def keep() -> None:
        while not done.wait(SEEN_EVERY_S):
            _sql(*SEEN, database=database)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _sql(*statements: str, database: str = "postgres") -> None:
    server: dict[str, Any] = settings.DATABASES["default"]
    connection = psycopg2.connect(
        dbname=database, host=server["HOST"] or None, port=server["PORT"] or None,
        user=server["USER"] or None, password=server["PASSWORD"] or None,
    )  # fmt: skip
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
