"""The private Redis: doorbell and pub/sub on a unix socket that only the services' user can open."""

import subprocess

from panel.setup.accounts import SERVICE_USER
from panel.setup.context import Context
from panel.setup.services import Service

_OPTIONS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",  # a dropped message must be an error that is seen, not a silent loss
}


def redis_service(context: Context) -> Service:
    """Return the process."""
    folder = context.layout.state / "redis"
    options = _OPTIONS | {"dir": str(folder), "unixsocket": str(context.layout.redis_socket)}
    return Service(
        name="redis",
        command=("redis-server", *(word for name, value in options.items() for word in (f"--{name}", value))),
        user=SERVICE_USER,
        environment={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        cwd=folder,
        log=context.layout.logs / "redis.log",
        ready=lambda: _answers(context),
        store=True,
    )


def _answers(context: Context) -> bool:
    command = ["redis-cli", "-s", str(context.layout.redis_socket), "PING"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == "PONG"
