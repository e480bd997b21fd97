"""Simulated hosts: a small server process that holds them all, and its client, the driver."""

from hosts.drivers.simulated.admin import SimulatedAdmin
from hosts.drivers.simulated.driver import SimulatedDriver
from hosts.drivers.simulated.faults import FaultKind
from hosts.drivers.simulated.process import SimulatedServer

__all__ = ["FaultKind", "SimulatedAdmin", "SimulatedDriver", "SimulatedServer"]
