"""Comparing hosts with the panel, each every few minutes, in threads of its own: it must not delay the watching."""

import logging
import threading
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from hosts import registry
from hosts.models import HostConnection
from hosts.states import HostState
from panel.core.errors import DriverError
from panel.core.logs import log_scope
from vms.collector.chores import guarded
from vms.collector.deadlines import Deadlines
from vms.collector.lanes import Lane
from vms.collector.lease import Lease
from vms.operations.survey import compare_connection
from vms.services.reconcile.compare import panel_compare, turn_take

logger = logging.getLogger(__name__)
DEADLINE_S = 120.0  # of all the calls of one comparison
_LOOK_EVERY_S = 5.0
_deadlines = Deadlines()


class Comparisons:
    """The comparisons of this collector's share of the hosts."""

    def __init__(self, lease: Lease, lane: Lane) -> None:
        self._lease, self._lane = lease, lane
        self._under_way: set[UUID] = set()

    def run(self, stop: threading.Event) -> None:
        """Block until ``stop`` is set. It begins when all hosts have been looked at once."""
        stop.wait(settings.COLLECT_EVERY_S)
        while not stop.wait(_LOOK_EVERY_S):
            guarded("compare", self._submit_due)
        connection.close()

    def _submit_due(self) -> None:
        if turn_take(None):
            self._lane.submit(panel_compare)
        due = Q(comparison__isnull=True) | Q(comparison__began_at__isnull=True)
        due |= Q(comparison__began_at__lt=timezone.now() - timedelta(seconds=settings.COMPARE_EVERY_S))
        states = [HostState.ACTIVE, HostState.MAINTENANCE]
        rows = HostConnection.objects.filter(due, enabled=True, last_error="", host__state__in=states)
        for row in rows.filter(last_seen_at__isnull=False):
            if self._lease.holds(row.host_id) and row.pk not in self._under_way:
                self._under_way.add(row.pk)
                self._lane.submit(partial(self._compare, row))

    def _compare(self, row: HostConnection) -> None:
        try:
            driver = registry.driver_of(row)
            with (
                log_scope(host_id=row.host_id, connection_id=row.pk),
                _deadlines.within(DEADLINE_S, driver, on_lost=self._lane.replace),
            ):
                compare_connection(driver, row)
        except DriverError as error:
            logger.info("comparison of host connection %s: %s", row.pk, error)
        finally:
            self._under_way.discard(row.pk)
