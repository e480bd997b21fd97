"""Asking a host for everything that is compared with the panel; bulk calls where there are any."""

import logging
from dataclasses import replace
from uuid import UUID

from django.db import InterfaceError, OperationalError

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.descriptions import ConfigurationChange, DomainDescription
from hosts.models import HostConnection, StoragePool
from hosts.operations.hosts import look_add
from panel.core.errors import (
    DriverError,
    HostTimeoutError,
    HostUnreachableError,
    JobLostError,
    VolumeNotFoundError,
)
from vms.models import Guest
from vms.operations.specs import guest_spec
from vms.services.reconcile.compare import host_compare, panel_compare
from vms.services.reconcile.panel_view import busy_since
from vms.services.reconcile.snapshots import HostView
from vms.services.reconcile.turns import Turn, turn_failed, turn_take
from vms.states import Lifecycle

logger = logging.getLogger(__name__)
CONFIGURATIONS_AT_ONCE = 25  # of a host with more guests about so many are compared in full each time, all in turn


def survey(driver: HypervisorDriver, connection: HostConnection, *, with_volumes: bool, turn: Turn) -> HostView:
    """Return what a hypervisor has. Raises: DriverError when it does not answer to all of it."""
    domains = tuple(driver.domain_descriptions())
    volumes = None
    if with_volumes:
        pools = StoragePool.objects.managed().filter(host_id=connection.host_id).values_list("name", flat=True)
        volumes = {pool: tuple(driver.volume_list(pool)) for pool in pools}
    return HostView(domains=domains, volumes=volumes, changes=_changes(driver, connection, domains, turn))


def _changes(
    driver: HypervisorDriver, connection: HostConnection, domains: tuple[DomainDescription, ...], turn: Turn
) -> dict[UUID, tuple[ConfigurationChange, ...]]:
    """Return what of guests' configurations is not what the panel would write, but for the name in the panel.

    Each guest belongs to one of as many groups as are needed, by its id, and each comparison takes the next group: so
    all have been compared after that many.
    """
    rows = Guest.objects.filter(host_id=connection.host_id, host_type=connection.host_type, lifecycle=Lifecycle.ACTIVE)
    ids = list(rows.values_list("pk", flat=True))
    groups = max(1, -(-len(ids) // CONFIGURATIONS_AT_ONCE))
    titles = {domain.id: domain.title for domain in domains}
    chosen = [one for one in ids if one in titles and one.int % groups == turn.written % groups]
    found: dict[UUID, tuple[ConfigurationChange, ...]] = {}
    rows = rows.filter(pk__in=chosen).exclude(pk__in=busy_since(turn.began_at))
    for guest in rows.select_related("host", "pool", "image").order_by("pk"):
        try:
            found[guest.pk] = driver.domain_changes(replace(guest_spec(guest), name=titles[guest.pk]))
        except VolumeNotFoundError:
            continue  # a difference of its own
        except (HostUnreachableError, HostTimeoutError):
            raise
        except DriverError as error:  # of this one alone: the others are compared all the same
            logger.info("configuration of guest %s: %s", guest.pk, error)
    return found


def compare_connection(driver: HypervisorDriver, connection: HostConnection, *, anew: bool = False) -> bool:
    """Compare one hypervisor with the panel if it is its turn; with ``anew`` in any case.

    False: it was not, or one that began later was written down first.
    """
    turn = turn_take(connection, anew=anew)
    return turn is not None and compare_in_turn(driver, connection, turn)


def compare_in_turn(driver: HypervisorDriver, connection: HostConnection, turn: Turn) -> bool:
    """Compare one hypervisor with the panel in a turn that was taken. False: it came too late.

    A host that does not answer proves nothing: what was found before stands, and the error is noted.
    """
    first = HostConnection.objects.filter(host_id=connection.host_id, enabled=True).order_by("host_type").first()
    try:
        # The types of a host share its pools.
        with_volumes = first is not None and first.pk == connection.pk
        host = survey(driver, connection, with_volumes=with_volumes, turn=turn)
        return host_compare(connection=connection, host=host, turn=turn)
    except (JobLostError, OperationalError, InterfaceError):
        raise  # whoever has overtaken this job, or comes when the database is back, takes a turn of its own
    except DriverError as error:
        turn_failed(turn, error=str(error))
        raise
    except Exception as error:
        turn_failed(turn, error=f"The panel could not compare what the host said ({type(error).__name__}).")
        raise


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
    panel_compare()


look_add(_on_check)
