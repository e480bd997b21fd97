"""Guests after a restore of the panel: nobody has seen them since."""

from hosts.drivers.types import PowerState
from panel.core.backup.aftermath import after_restore
from vms.models import Comparison, Guest
from vms.states import Lifecycle


@after_restore
def guests_unseen() -> None:
    """Their power is unknown until a collector has looked; an owner who shut one down before has not done so since."""
    Guest.objects.filter(lifecycle=Lifecycle.ACTIVE).update(
        power_state=PowerState.UNKNOWN, state_reason="", off_since=None
    )


@after_restore
def comparisons_due() -> None:
    """All hypervisors are compared as soon as they answer, also when the backup is of a moment ago."""
    Comparison.objects.update(began_at=None)
