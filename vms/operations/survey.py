"""Asking a host for everything that is compared with the panel; bulk calls where there are any."""

import logging
from dataclasses import replace
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.descriptions import DomainDescription
from hosts.models import HostConnection, StoragePool
from hosts.operations.hosts import look_add
from panel.core.errors import DriverError, JobLostError, VolumeNotFoundError
from vms.models import Guest
from vms.operations.specs import guest_spec
from vms.services.reconcile.compare import host_compare, panel_compare, turn_end, turn_take
from vms.services.reconcile.panel_view import busy_since
from vms.services.reconcile.snapshots import HostView
from vms.states import Lifecycle

logger = logging.getLogger(__name__)
CONFIGURATIONS_AT_ONCE = 25  # of a host with more guests some are compared in full each time, by chance


def survey(driver: HypervisorDriver, connection: HostConnection, *, with_volumes: bool) -> HostView:
    """Return what a hypervisor has. Raises: DriverError when it does not answer to all of it."""
    domains = tuple(driver.domain_descriptions())
    volumes = None
    if with_volumes:
        pools = StoragePool.objects.filter(host_id=connection.host_id).values_list("name", flat=True)
        volumes = {pool: tuple(driver.volume_list(pool)) for pool in pools}
    return HostView(domains=domains, volumes=volumes, current=_current(driver, connection, domains))


def _current(
    driver: HypervisorDriver, connection: HostConnection, domains: tuple[DomainDescription, ...]
) -> dict[UUID, bool]:
    """Return which guests' configurations are what the panel would write, but for the name in the panel."""
    titles = {domain.id: domain.title for domain in domains}
    rows = Guest.objects.filter(
        host_id=connection.host_id, host_type=connection.host_type, lifecycle=Lifecycle.ACTIVE, pk__in=titles
    ).exclude(pk__in=busy_since(timezone.now()))
    found: dict[UUID, bool] = {}
    for guest in rows.select_related("host", "pool", "image").order_by("?")[:CONFIGURATIONS_AT_ONCE]:
        try:
            found[guest.pk] = driver.domain_is_current(replace(guest_spec(guest), name=titles[guest.pk]))
        except VolumeNotFoundError:
            continue  # a difference of its own
    return found


def compare_connection(driver: HypervisorDriver, connection: HostConnection, *, anew: bool = False) -> bool:
    """Compare one hypervisor with the panel if it is its turn; with ``anew`` in any case. False: it was not.

    A host that does not answer proves nothing: what was found before stands, and the error is noted.
    """
    if not turn_take(connection, anew=anew):
        return False
    began_at = timezone.now()
    first = HostConnection.objects.filter(host_id=connection.host_id, enabled=True).order_by("host_type").first()
    try:
        # The types of a host share its pools.
        host = survey(driver, connection, with_volumes=first is not None and first.pk == connection.pk)
    except DriverError as error:
        turn_end(connection, error=str(error))
        raise
    host_compare(connection=connection, host=host, began_at=began_at)
    return True


def _on_check(driver: HypervisorDriver, connection: HostConnection) -> None:
    """Compare when somebody has the host checked. What only the comparison meets does not fail the check."""
    try:
        compare_connection(driver, connection, anew=True)
    except (JobLostError, OperationalError, InterfaceError):
        raise
    except Exception as error:
        if isinstance(error, DriverError) and error.retryable:
            raise
        logger.exception("comparison of host connection %s", connection.pk)
        turn_end(connection, error=str(error))
    panel_compare()


look_add(_on_check)
