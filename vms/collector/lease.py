"""This collector's share of the hosts, and the database's time."""

import os
import socket
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings

from hosts.services.watches import watches_give_back, watches_renew


class Lease:
    """What this process may watch, and until when it may believe so.

    ``holds`` and ``now`` go by this machine's monotonic clock since the last renewal: a wrong or jumping clock of the
    machine changes nothing, and a process that was stopped for a while knows that its lease has run out.
    """

    def __init__(self) -> None:
        self.id = uuid.uuid4()
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._lock = threading.Lock()
        self._host_ids: frozenset[UUID] = frozenset()
        self._renewed, self._at = float("-inf"), datetime.min.replace(tzinfo=UTC)

    def renew(self) -> frozenset[UUID]:
        """Renew it; return the hosts that are now this collector's."""
        began = time.monotonic()
        watches = watches_renew(collector_id=self.id, name=self._name)
        with self._lock:
            self._host_ids, self._renewed, self._at = watches.host_ids, began, watches.at
        return watches.host_ids

    def held(self) -> frozenset[UUID]:
        """Return the hosts that nobody else may have taken."""
        with self._lock:
            lasts = time.monotonic() < self._renewed + settings.COLLECT_LEASE_S
            return self._host_ids if lasts else frozenset()

    def holds(self, host_id: UUID) -> bool:
        """True while nobody else may have taken the host."""
        return host_id in self.held()

    def now(self) -> datetime:
        """Return the database's time, as far as it is known."""
        with self._lock:
            return self._at + timedelta(seconds=time.monotonic() - self._renewed)

    def give_back(self) -> None:
        """Leave all hosts to others, at once."""
        with self._lock:
            self._host_ids = frozenset()
        watches_give_back(collector_id=self.id)
