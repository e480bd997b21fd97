"""A real web process (uvicorn) on the test database, for tests that need sockets instead of calls."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings
from django.db import connection

START_S = 40.0


@dataclass(frozen=True)
class WebServer:
    """A running web process."""

    host: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{self.host}:{self.port}"


def database_url() -> str:
    """Return DATABASE_URL of the database this test uses, for another process."""
    db = connection.settings_dict
    login = quote(db["USER"] or "", safe="") + (f":{quote(db['PASSWORD'], safe='')}" if db["PASSWORD"] else "")
    host, port = db["HOST"] or "", db["PORT"] or 5432
    if host.startswith("/"):  # a folder of Unix sockets, as django-environ wants it
        return f"postgres://{login}@:{port}/{host}/{db['NAME']}"
    return f"postgres://{login}@{host}:{port}/{db['NAME']}"


@contextmanager
def web_server(**environment: str) -> Iterator[WebServer]:
    """Run a web process until the block ends. Needs committed data (``transactional_db``)."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "panel.asgi:application", "--port", str(port)]
    more = {
        "DATABASE_URL": database_url(),
        "REDIS_URL": settings.REDIS_URL,
        "DJANGO_SETTINGS_MODULE": "panel.settings.test",
        **environment,
    }
    process = subprocess.Popen([*command, "--log-level", "warning"], env={**os.environ, **more})
    try:
        _wait_for(port, process)
        yield WebServer("127.0.0.1", port, process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the web process ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the web process did not listen in time")
