"""The panel's processes say that they live: a row each in PostgreSQL, renewed by a thread."""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

import panel
from panel.core.logs import process_kind
from panel.core.models import PanelProcess
from panel.core.readiness import DATABASE_ERRORS

logger = logging.getLogger(__name__)
BEAT_S = 10.0
SILENT_AFTER = timedelta(seconds=45)  # one that has not been heard of for so long does not live
FORGOTTEN_AFTER = timedelta(days=7)
KINDS = ("web", "worker", "builder", "collector")
_BEAT = """
INSERT INTO core_panelprocess (id, kind, machine, pid, version, started_at, seen_at)
VALUES (%s, %s, %s, %s, %s, clock_timestamp(), clock_timestamp())
ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()
"""


class Heartbeat:
    """Renews this process's row until ``stop``. A database that is away only makes it late."""

    def __init__(self) -> None:
        self.id = uuid.uuid4()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> "Heartbeat":
        """Begin, in a thread."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, and take the row away."""
        self._stop.set()
        self._thread.join(timeout=5)

    def beat(self) -> None:
        """Renew the row once."""
        row: list[str | int] = [
            str(self.id),
            process_kind(),
            socket.gethostname()[:120],
            os.getpid(),
            panel.__version__,
        ]
        with connection.cursor() as cursor:
            cursor.execute(_BEAT, row)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._guarded(self.beat)
            self._stop.wait(BEAT_S)
        self._guarded(lambda: PanelProcess.objects.filter(pk=self.id).delete())

    @staticmethod
    def _guarded(call: object) -> None:
        try:
            call()  # type: ignore[operator]
        except DATABASE_ERRORS as error:
            logger.info("heartbeat not written: %s", error)
        finally:
            connection.close()


def processes_alive() -> QuerySet[PanelProcess]:
    """Return those that were heard of lately, by the database's clock."""
    return PanelProcess.objects.filter(seen_at__gte=Now() - SILENT_AFTER)


def processes_forget(*, kinds: Iterable[str] = KINDS) -> None:
    """Forget those that ended long ago without saying so."""
    PanelProcess.objects.filter(kind__in=kinds, seen_at__lt=Now() - FORGOTTEN_AFTER).delete()
