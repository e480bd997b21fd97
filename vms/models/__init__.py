"""Tables of guests."""

from vms.models.devices import Disk, Nic
from vms.models.guests import Guest, GuestSecret, GuestSuspension

__all__ = ["Disk", "Guest", "GuestSecret", "GuestSuspension", "Nic"]
