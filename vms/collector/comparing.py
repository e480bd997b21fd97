"""Comparing hosts with the panel, each every few minutes, in threads of its own: it must not delay the watching."""

import logging
import threading
from functools import partial
from typing import cast
from uuid import UUID

from django.conf import settings
from django.db import connection

from hosts import registry
from hosts.calls import Measured
from hosts.drivers.base import HypervisorDriver
from hosts.models import HostConnection
from hosts.states import HostState
from panel.core.errors import DriverError
from panel.core.logs import log_scope
from vms.collector.chores import guarded
from vms.collector.deadlines import Deadlines
from vms.collector.lanes import Lane, is_lost
from vms.collector.lease import Lease
from vms.operations.survey import compare_in_turn
from vms.services.reconcile.compare import panel_compare
from vms.services.reconcile.turns import PANEL, Turn, connections_due, turn_failed, turn_take

logger = logging.getLogger(__name__)
DEADLINE_S = 120.0  # of all the calls of one comparison
_LOOK_EVERY_S = 5.0
_deadlines = Deadlines()


class Comparisons:
    """The comparisons of this collector's share of the hosts."""

    def __init__(self, lease: Lease, lane: Lane) -> None:
        self._lease, self._lane = lease, lane
        self._under_way: set[UUID] = set()  # connections, and PANEL

    def run(self, stop: threading.Event) -> None:
        """Block until ``stop`` is set. It begins when all hosts have been looked at once."""
        stop.wait(settings.COLLECT_EVERY_S)
        while not stop.wait(_LOOK_EVERY_S):
            guarded("compare", self._submit_due)
        connection.close()

    def _submit_due(self) -> None:
        if PANEL not in self._under_way:
            self._under_way.add(PANEL)
            self._lane.submit(self._compare_panel)
        states = [HostState.ACTIVE, HostState.MAINTENANCE]
        rows = connections_due().filter(last_error="", host__state__in=states)
        for row in rows.filter(last_seen_at__isnull=False):
            if self._lease.holds(row.host_id) and row.pk not in self._under_way:
                self._under_way.add(row.pk)
                self._lane.submit(partial(self._compare, row))

    def _compare_panel(self) -> None:
        try:
            panel_compare(anew=False)
        finally:
            self._under_way.discard(PANEL)

    def _compare(self, row: HostConnection) -> None:
        try:
            turn = turn_take(row) if self._lease.holds(row.host_id) else None
            if turn is not None:
                with log_scope(host_id=row.host_id, connection_id=row.pk):
                    self._compare_in(turn, row)
        except DriverError as error:
            logger.info("comparison of host connection %s: %s", row.pk, error)
        finally:
            if not is_lost():  # then it has been freed, and may be under way in another thread
                self._under_way.discard(row.pk)

    def _compare_in(self, turn: Turn, row: HostConnection) -> None:
        driver = registry.driver_of(row)
        with _deadlines.within(DEADLINE_S, driver, on_lost=partial(self._lost, turn, row)) as was_cut:
            compare_in_turn(cast(HypervisorDriver, Measured(driver, was_cut=was_cut)), row, turn)

    def _lost(self, turn: Turn, row: HostConnection, thread: threading.Thread) -> None:
        """Give up a thread that not even closing its driver brought back; its host is compared when it is due again."""
        if not is_lost(thread):
            self._lane.replace(thread)
        self._under_way.discard(row.pk)
        self._lane.submit(partial(turn_failed, turn, error="The host did not answer in time."))
