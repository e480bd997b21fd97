"""The collector's process: its main thread decides, its lanes ask and write."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from hosts import registry
from hosts.models import HostConnection, StoragePool
from panel.core.logs import log_scope
from vms.collector.chores import guarded, run_chores
from vms.collector.comparing import Comparisons
from vms.collector.consoles import boots_to_read, consoles_write
from vms.collector.deadlines import GIVE_UP_AFTER_S
from vms.collector.lanes import LOST_LIMIT, Lane, is_lost
from vms.collector.lease import Lease
from vms.collector.watch import Watch
from vms.collector.watcher import CALL_DEADLINE_S, Answer, HostWatcher
from vms.collector.writing import keep_usage, write
from vms.models import Guest
from vms.services.reconcile.stopped import stopped_tell
from vms.services.suspension import suspensions_enforce
from vms.services.unfinished import deletions_go_on

logger = logging.getLogger(__name__)
FOLLOW_UP_EVERY_S = 2.0  # consoles of guests that boot, seeds to scrub
_DECIDE_EVERY_S = 0.05
_END_WITHIN_S = 5.0


class Collector:
    """Watches this process's share of the hosts until ``stop`` is set.

    ``_watches`` and what is in them belong to the main thread; the others tell it through ``_inbox``.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.lease = Lease()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._watches: dict[UUID, Watch] = {}
        self._next_renewal = self._next_follow_up = self._next_late = 0.0
        # Together at most 64 threads, whatever the number of hosts. A hypervisor has at most one call under way in
        # each of the first three; those that hung the last time have threads of their own, so that however many do, the
        # others are looked at in time, and those that refuse are too.
        connection_created.connect(_do_not_wait_for_disk)
        self._lanes = {
            "look": Lane("look", size=28),
            "look-again": Lane("look-again", size=12),
            "event": Lane("event", size=8),
            "console": Lane("console", size=6),
            "write": Lane("write", size=3, with_database=True),
            "write-event": Lane("write-event", size=1, with_database=True),
            "compare": Lane("compare", size=2, with_database=True),
            "usage": Lane("usage", size=1, with_database=True),  # samples may be late; what is on and off may not
        }

        self._comparisons = Comparisons(self.lease, self._lanes["compare"])

    def run(self) -> None:
        """Block until stopped; then leave the hosts to others."""
        chores = threading.Thread(target=run_chores, args=(self.stop,), name="chores", daemon=True)
        chores.start()
        comparing = threading.Thread(target=self._comparisons.run, args=(self.stop,), name="comparing", daemon=True)
        comparing.start()
        while not self.stop.is_set():
            if time.monotonic() >= self._next_renewal:
                self._next_renewal = time.monotonic() + settings.COLLECT_LEASE_S / 4
                guarded("lease", self._renew)
            self._ask_what_is_due()
            self._take_messages()
            if Lane.lost > LOST_LIMIT:
                logger.critical("collector: %s threads wait for hosts for ever; it is to be started anew", Lane.lost)
                self.stop.set()
        for lane in self._lanes.values():
            lane.close()
        guarded("end", self.lease.give_back)
        for connection_id in list(self._watches):
            self._forget(connection_id)
        until = time.monotonic() + _END_WITHIN_S
        for lane in self._lanes.values():
            lane.join(until=until)
        for thread in (chores, comparing):
            thread.join(max(0.0, until - time.monotonic()))

    # ── which hosts ─────────────────────────────────────────────────────────────────────────────
    def _renew(self) -> None:
        host_ids = self.lease.renew()
        pools: dict[UUID, list[StoragePool]] = {}
        for pool in StoragePool.objects.managed().filter(host_id__in=host_ids):
            pools.setdefault(pool.host_id, []).append(pool)
        connections = {row.pk: row for row in HostConnection.objects.filter(host_id__in=host_ids, enabled=True)}
        for connection_id, watch in list(self._watches.items()):
            row = connections.get(connection_id)
            if row is None or row.uri != watch.watcher.connection.uri:
                self._forget(connection_id)
            else:
                watch.watcher.connection, watch.watcher.pools = row, pools.get(row.host_id, [])
        for connection_id, row in connections.items():
            if connection_id not in self._watches:
                self._watches[connection_id] = self._watch(HostWatcher(row, pools.get(row.host_id, [])))

    def _watch(self, watcher: HostWatcher) -> Watch:
        watch = Watch(watcher, now=time.monotonic())
        watcher.on_lost = partial(self._thread_lost, watch)
        watcher.on_event = lambda domain: self._inbox.put(lambda: watch.tell(domain, now=time.monotonic()))
        return watch

    def _forget(self, connection_id: UUID) -> None:
        watch = self._watches.pop(connection_id)
        driver = registry.driver_of(watch.watcher.connection)
        threading.Thread(target=registry.forget, args=(driver,), daemon=True).start()

    # ── what is asked when ──────────────────────────────────────────────────────────────────────
    def _take_messages(self) -> None:
        """Take for a moment what others tell. Between two decisions, because going through all hosts is not free."""
        until = time.monotonic() + _DECIDE_EVERY_S
        with suppress(queue.Empty):
            while not self.stop.is_set():
                self._inbox.get(timeout=max(0.0, until - time.monotonic()))()

    def _ask_what_is_due(self) -> None:
        now, held = time.monotonic(), self.lease.held()
        for watch in self._watches.values():
            if watch.watcher.connection.host_id not in held:
                continue
            if watch.look_due(now=now):
                self._lanes["look-again" if watch.hung else "look"].submit(partial(self._look, watch))
            if told := watch.told():
                self._lanes["event"].submit(partial(self._look_at, watch, told))
        if now >= self._next_follow_up:
            self._next_follow_up = now + FOLLOW_UP_EVERY_S
            self._follow_up(late=now >= self._next_late)

    def _follow_up(self, *, late: bool) -> None:
        if late:
            self._next_late = time.monotonic() + settings.COLLECT_EVERY_S
        host_ids = {w.watcher.connection.host_id for w in self._watches.values() if not w.is_silent}
        if host_ids:
            self._lanes["write"].submit(partial(self._find_work, host_ids, late))

    def _read(self, guests: Collection[Guest]) -> None:
        of: dict[tuple[UUID, str], list[Guest]] = {}
        for guest in guests:
            of.setdefault((guest.host_id, guest.host_type), []).append(guest)  # type: ignore[arg-type]
        for watch in self._watches.values():
            mine = of.get((watch.watcher.connection.host_id, watch.watcher.connection.host_type))
            if mine and not watch.reading and not watch.is_silent:
                watch.reading = True
                self._lanes["console"].submit(partial(self._consoles, watch, mine))

    # ── in the lanes ────────────────────────────────────────────────────────────────────────────
    def _find_work(self, host_ids: Collection[UUID], late: bool) -> None:
        if late:
            suspensions_enforce(host_ids)
            deletions_go_on(host_ids)
            stopped_tell()
        self._inbox.put(partial(self._read, boots_to_read(host_ids, late=late)))

    def _look(self, watch: Watch) -> None:
        self._answered(watch, lambda: watch.watcher.look(self.lease.now()), lane="write")

    def _look_at(self, watch: Watch, domains: frozenset[UUID]) -> None:
        self._answered(watch, lambda: watch.watcher.look_at(domains, self.lease.now()), lane="write-event")

    def _answered(self, watch: Watch, ask: Callable[[], Answer], *, lane: str) -> None:
        try:
            with _scope(watch):
                answer = ask()
        except Exception:
            self._tell(watch.failed)
            raise
        if not is_lost():
            self._lanes[lane].submit(partial(self._write, watch, answer))

    def _write(self, watch: Watch, answer: Answer) -> None:
        try:
            self._write_down(watch, answer)
        finally:
            self._tell(partial(self._written, watch, answer))

    def _write_down(self, watch: Watch, answer: Answer) -> None:
        if self.lease.holds(answer.connection.host_id):
            with _scope(watch):
                write(answer)

    def _written(self, watch: Watch, answer: Answer, *, now: float) -> None:
        watch.looked(answer, now=now)
        if answer.about is None and not watch.keeping:
            watch.keeping = True
            self._lanes["usage"].submit(partial(self._keep, watch, answer))

    def _keep(self, watch: Watch, answer: Answer) -> None:
        try:
            if self.lease.holds(answer.connection.host_id):
                with _scope(watch):
                    keep_usage(watch.usage, answer)
        finally:
            self._inbox.put(partial(setattr, watch, "keeping", False))

    def _consoles(self, watch: Watch, guests: Collection[Guest]) -> None:
        try:
            with _scope(watch):
                outputs = watch.watcher.consoles([guest.pk for guest in guests])
            if not is_lost():
                self._lanes["write"].submit(partial(consoles_write, guests, outputs))
        finally:
            self._inbox.put(partial(setattr, watch, "reading", False))

    def _tell(self, what: Callable[..., None]) -> None:
        self._inbox.put(lambda: what(now=time.monotonic()))

    def _thread_lost(self, watch: Watch, thread: threading.Thread) -> None:
        if not is_lost(thread):  # one that was given up may hang another time, with its next call
            self._lanes[thread.name].replace(thread)
            self._tell(watch.failed)
            # About when it was asked: what the host has said since then counts.
            asked_at = self.lease.now() - timedelta(seconds=CALL_DEADLINE_S + GIVE_UP_AFTER_S)
            self._lanes["write"].submit(partial(self._write_down, watch, watch.watcher.unanswered(asked_at)))


def _scope(watch: Watch) -> AbstractContextManager[None]:
    """Have the host's ids on every line that is logged."""
    return log_scope(host_id=watch.watcher.connection.host_id, connection_id=watch.watcher.connection.pk)


def _do_not_wait_for_disk(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """What hosts said is asked again in a moment, should PostgreSQL fall over before it is on disk."""
    if threading.current_thread().name.startswith("write"):
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit TO off")
