"""Tables of guests."""

from vms.models.devices import Disk, Nic
from vms.models.differences import Comparison, Difference, DifferenceKind, DifferenceState, Severity
from vms.models.guests import Guest, GuestSecret, GuestSuspension

__all__ = [
    "Comparison",
    "Difference",
    "DifferenceKind",
    "DifferenceState",
    "Disk",
    "Guest",
    "GuestSecret",
    "GuestSuspension",
    "Nic",
    "Severity",
]
