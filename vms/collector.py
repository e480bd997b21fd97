"""The collector: asks every host in turn what is there, and writes it down. Also runs the sweeper.

Any number may run; each host is asked by a thread of its own, so a silent host delays no other.
"""

import logging
import operator
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections, connection
from django.utils import timezone

from hosts import registry
from hosts.drivers.base import HypervisorDriver
from hosts.models import HostConnection, StoragePool
from hosts.services import observation as hosts_observation
from hosts.states import HostState
from panel.core.deadlines import DeadlinePassedError, call_within
from panel.core.errors import DriverError, HostTimeoutError
from panel.core.logs import log_bind
from panel.core.maintenance import daily_maintenance
from panel.core.sweeper import sweep
from vms.models import Guest
from vms.services import boot, observation, suspension
from vms.services.actions import seed_scrub

logger = logging.getLogger(__name__)
T = TypeVar("T")
CALL_DEADLINE_S = 7.5
CONSOLE_EVERY_S = 2.0  # while a guest boots


class HostWatcher:
    """Looks at one hypervisor of one host."""

    def __init__(self, connection_id: UUID) -> None:
        self._connection_id = connection_id

    def look(self) -> None:
        """One round: power states, load, pool fill; never raises for what a host may do."""
        row = HostConnection.objects.select_related("host").get(pk=self._connection_id)
        log_bind(host_id=row.host_id, connection_id=row.pk)
        asked_at = timezone.now()
        # The boot id first: should the host start anew in between, its guests are not taken for off under the new one.
        boot_id = self._ask(row, lambda driver: driver.boot_id()) or ""
        try:
            domains = self._call(row, lambda driver: driver.domain_list())
        except DriverError as error:
            hosts_observation.connection_silent(connection=row, error=str(error))
            observation.host_silent(host_id=row.host_id, host_type=row.host_type, asked_at=asked_at)
            return
        hosts_observation.connection_seen(connection=row, at=asked_at, boot_id=boot_id)
        observation.observe_host(
            host_id=row.host_id, host_type=row.host_type, domains=domains, asked_at=asked_at, boot_id=boot_id
        )
        for guest in suspension.running_though_suspended(host_id=row.host_id, host_type=row.host_type):
            suspension.suspension_enforce(guest=guest)
        boot.power_restore(host_id=row.host_id, host_type=row.host_type, boot_id=boot_id)
        if (load := self._ask(row, lambda driver: driver.load())) is not None:
            hosts_observation.load_record(host_id=row.host_id, load=load)
        for pool in StoragePool.objects.filter(host_id=row.host_id):
            if (info := self._ask(row, operator.methodcaller("pool_info", pool.name))) is not None:
                hosts_observation.pool_record(pool=pool, info=info)
        self._read_consoles(row, observation.late(host_id=row.host_id, host_type=row.host_type))

    def listen(self) -> None:
        """Read the consoles of guests that are booting, and have read seeds scrubbed."""
        row = HostConnection.objects.select_related("host").get(pk=self._connection_id)
        self._read_consoles(row, observation.booting(host_id=row.host_id, host_type=row.host_type))
        for guest in observation.to_scrub(host_id=row.host_id, host_type=row.host_type):
            seed_scrub(guest=guest)

    def _read_consoles(self, row: HostConnection, guests: Sequence[Guest]) -> None:
        for guest in guests:
            output = self._ask(row, operator.methodcaller("console_output", guest.pk))
            if output is not None:
                observation.console_read(guest=guest, output=output)

    def _ask(self, row: HostConnection, call: Callable[[HypervisorDriver], T]) -> T | None:
        """Return an answer that the rest does not hang on; None when there is none."""
        try:
            return self._call(row, call)
        except DriverError as error:
            logger.info("host connection %s: %s", self._connection_id, error)
            return None

    @staticmethod
    def _call(row: HostConnection, call: Callable[[HypervisorDriver], T]) -> T:
        driver = registry.driver_of(row)  # each time: after a call that hung it is another one
        try:
            return call_within(CALL_DEADLINE_S, lambda: call(driver))
        except DeadlinePassedError:
            registry.forget(driver)
            raise HostTimeoutError from None


class Collector:
    """Runs the watchers and the sweeper until ``stop`` is set."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._threads: dict[UUID, threading.Thread] = {}

    def run(self) -> None:
        """Block until stopped."""
        next_daily = 0.0
        while not self.stop.is_set():
            self._guarded("sweep", sweep)
            self._guarded("watch", self._watch_all)
            if time.monotonic() >= next_daily:
                self._guarded("daily", daily_maintenance)
                next_daily = time.monotonic() + 3600
            self.stop.wait(settings.JOB_SWEEP_S)

    def _watch_all(self) -> None:
        states = [HostState.ACTIVE, HostState.MAINTENANCE]
        wanted = HostConnection.objects.filter(enabled=True, host__state__in=states).values_list("pk", flat=True)
        for connection_id in wanted:
            thread = self._threads.get(connection_id)
            if thread is None or not thread.is_alive():
                thread = threading.Thread(target=self._watch, args=(connection_id,), daemon=True)
                self._threads[connection_id] = thread
                thread.start()

    def _watch(self, connection_id: UUID) -> None:
        """One hypervisor's thread: a full look every ``COLLECT_EVERY_S``, consoles in between."""
        watcher = HostWatcher(connection_id)
        next_look = 0.0
        while not self.stop.is_set():
            if not HostConnection.objects.filter(pk=connection_id, enabled=True).exists():
                break
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + settings.COLLECT_EVERY_S
                self._guarded("look", watcher.look)
            self._guarded("listen", watcher.listen)
            connection.close()  # there are as many of these threads as hypervisors
            self.stop.wait(CONSOLE_EVERY_S)
        connection.close()

    @staticmethod
    def _guarded(what: str, call: Callable[[], object]) -> None:
        """Run one part; whatever it meets (a database that is away too) must not end the collector."""
        try:
            close_old_connections()
            call()
        except Exception:
            logger.exception("collector: %s failed", what)
            connection.close()
