"""The only way to obtain a driver. Drivers are kept per process and connection; never across a fork."""

import os
import threading
from uuid import UUID

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import HostType
from hosts.models import HostConnection
from panel.core.errors import CapabilityError

_lock = threading.Lock()
_drivers: dict[tuple[int, UUID, str], HypervisorDriver] = {}


def driver_for(host_id: UUID, host_type: str) -> HypervisorDriver:
    """Return this process's driver for one hypervisor of a host. Connects at the first call, not here.

    Raises:
        CapabilityError: the host does not offer this type.
    """
    connection = HostConnection.objects.filter(host_id=host_id, host_type=host_type, enabled=True).first()
    if connection is None:
        raise CapabilityError(f"The host does not offer {host_type.upper()}.")
    return driver_of(connection)


def driver_of(connection: HostConnection) -> HypervisorDriver:
    """Return this process's driver of a connection."""
    key = (os.getpid(), connection.pk, connection.uri)
    with _lock:
        if key not in _drivers:
            _drivers[key] = _new(connection)
        return _drivers[key]


def _new(connection: HostConnection) -> HypervisorDriver:
    if connection.driver == "simulated":
        from hosts.drivers.simulated.driver import SimulatedDriver

        return SimulatedDriver(HostType(connection.host_type), connection.uri)
    from hosts.drivers.libvirt.driver import LibvirtDriver  # libvirt is loaded only where it is used

    return LibvirtDriver(HostType(connection.host_type), connection.uri)


def forget(driver: HypervisorDriver) -> None:
    """Close a driver that did not answer, so that the next call starts with a new connection."""
    with _lock:
        for key, known in list(_drivers.items()):
            if known is driver:
                del _drivers[key]
    driver.close()
