"""The panel's own processes as supervised services."""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator

from panel.setup.accounts import SERVICE_USER
from panel.setup.context import Context
from panel.setup.services import Service
from panel.setup.tls import certificate_files

_WORKER_CONCURRENCY = 8  # twice what one host may keep at work, see hosts/services/enrolment.py
PROCESSES = ("web", "worker", "builder", "collector")
_CELERY = ("-A", "panel.celery", "--quiet", "worker", "--loglevel=INFO", "--without-gossip", "--without-mingle")


def panel_services(context: Context, web_socket: socket.socket) -> Iterator[Service]:
    """Yield web, worker, builder and collector. Only the builder is root: it makes file systems with foreign owners."""
    python = str(context.layout.python)
    files = [] if context.listen.is_loopback else [str(path) for path in certificate_files(context)]
    descriptor = web_socket.fileno()
    web = (python, "-m", "panel.setup.web_server", str(descriptor), *files)
    yield _service(context, "web", web, pass_fds=(descriptor,), ready=lambda: _web_answers(context))
    celery = (python, "-m", "celery", *_CELERY)
    concurrency = context.environment.get("WORKER_CONCURRENCY") or str(_WORKER_CONCURRENCY)
    yield _service(context, "worker", (*celery, "-Q", "jobs", "-c", concurrency, "-n", f"worker@{context.layout.id}"))
    builder = (*celery, "-Q", "builder", "-c", "1", "-n", f"builder@{context.layout.id}")
    yield _service(context, "builder", builder, user="root")
    yield _service(context, "collector", (python, "manage.py", "collector"))


def _service(
    context: Context,
    name: str,
    command: tuple[str, ...],
    *,
    user: str = SERVICE_USER,
    ready: Callable[[], bool] = lambda: True,
    pass_fds: tuple[int, ...] = (),
) -> Service:
    return Service(
        name=name,
        command=command,
        user=user,
        environment=context.service_environment(),
        cwd=context.layout.code,
        log=context.layout.logs / f"{name}.log",
        ready=ready,
        ready_s=60,
        pass_fds=pass_fds,
    )


def _web_answers(context: Context) -> bool:
    """True when the server sends any reply at all."""
    listen = context.listen
    host = ("::1" if ":" in listen.host else "127.0.0.1") if listen.is_any else listen.host
    connection: http.client.HTTPConnection
    if listen.is_loopback:
        connection = http.client.HTTPConnection(host, listen.port, timeout=2)
    else:
        unchecked = ssl._create_unverified_context()  # noqa: S323 - our own certificate, just made
        connection = http.client.HTTPSConnection(host, listen.port, timeout=2, context=unchecked)
    try:
        connection.request("GET", "/healthz", headers={"Host": f"localhost:{listen.port}"})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
