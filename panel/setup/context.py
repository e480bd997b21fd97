"""What the steps of one run share."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from panel.setup.accounts import DATABASE_USER, SERVICE_USER, as_user
from panel.setup.layout import Layout
from panel.setup.listen import Listen
from panel.setup.steps import Records

_PASSED_ON = re.compile(
    r"(LANG|LC_.*|TZ|PATH|LOG_LEVEL|METRICS_.*|WEB_.*|JOB_.*|API_.*|AUDIT_.*|COLLECT_.*|HOST_CALL_.*|.*_proxy|.*_PROXY|SSL_CERT_.*)\Z"
)
_SECRET_VARIABLES = ("DJANGO_SECRET_KEY", "TOKEN_PEPPER", "KEY_ENCRYPTION_KEY")


@dataclass(frozen=True)
class Context:
    """One run: places, records, and what the caller asked for."""

    layout: Layout
    records: Records
    environment: Mapping[str, str]
    listen: Listen

    @property
    def own_postgres(self) -> bool:
        return not self.environment.get("DATABASE_URL")

    @property
    def own_redis(self) -> bool:
        return not self.environment.get("REDIS_URL")

    @property
    def log(self) -> Path:
        return self.layout.logs / "setup.log"

    def service_environment(self) -> dict[str, str]:
        """Return the whole environment of the panel's processes; nothing else of the caller's gets in."""
        layout = self.layout
        passed = {name: value for name, value in self.environment.items() if _PASSED_ON.match(name)}
        for name in (*_SECRET_VARIABLES, *(f"{name}_FILE" for name in _SECRET_VARIABLES)):
            if self.environment.get(name):
                passed[name] = self.environment[name]
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            **passed,
            "DJANGO_SETTINGS_MODULE": "panel.settings.production",
            "DATABASE_URL": self.environment.get("DATABASE_URL")
            or f"postgres://{SERVICE_USER}@/{layout.postgres_socket}/{SERVICE_USER}",
            **self._redis_urls(),
            "INNKEEPER_STATE": str(layout.state),
            "INNKEEPER_CACHE": str(layout.cache),
            "INNKEEPER_ID": layout.id,
            "PROMETHEUS_MULTIPROC_DIR": str(layout.metrics),
            "PYTHONUNBUFFERED": "1",
            "MALLOC_ARENA_MAX": "2",  # not one for each of a process's threads: Python lets one of them work at a time
            "HOME": str(layout.state / "work"),
            **self._web_names(),
        }

    def _redis_urls(self) -> dict[str, str]:
        given = self.environment.get("REDIS_URL")
        if given:
            return {"REDIS_URL": given}
        # redis-py and kombu name a unix socket differently; Celery reads its own variable first.
        socket = self.layout.redis_socket
        return {"REDIS_URL": f"unix://{socket}", "CELERY_BROKER_URL": f"redis+socket://{socket}"}

    def _web_names(self) -> dict[str, str]:
        names = [*self.environment.get("ALLOWED_HOSTS", "").split(","), *self.records_names()]
        hosts = {"127.0.0.1", "localhost", "[::1]", *(name.strip() for name in names if name.strip())}
        if self.listen.is_loopback:
            return {"ALLOWED_HOSTS": ",".join(sorted(hosts))}
        origins = {f"https://{name}:{self.listen.port}" for name in hosts} | {f"https://{name}" for name in hosts}
        return {
            "ALLOWED_HOSTS": ",".join(sorted(hosts)),
            "CSRF_TRUSTED_ORIGINS": ",".join(sorted(origins)),
            "SECURE_COOKIES": "1",
        }

    def records_names(self) -> list[str]:
        """Return the names and addresses the certificate is for; none while the panel is on the loopback."""
        return [] if self.listen.is_loopback else (self.records.get("web_names") or "").split()

    def as_service(self, command: list[str]) -> list[str]:
        return as_user(SERVICE_USER, command)

    def as_database(self, command: list[str]) -> list[str]:
        return as_user(DATABASE_USER, command)
