"""Setting a total of the panel's own right: what a host, a pool or a customer has in use."""

from collections.abc import Mapping
from typing import Any

from hosts.models import Host, StoragePool
from panel.core.errors import CapacityError
from panel.core.models import Customer
from vms.models import Difference
from vms.services.reconcile.snapshots import Finding

_TOTALS: Mapping[str, Any] = {"host": Host, "pool": StoragePool, "customer": Customer}


def total_set(row: Difference, total: Finding) -> dict[str, tuple[Any, Any]]:
    """Move the totals by what was missing when they were counted. Returns what changed.

    Raises:
        CapacityError: the sum is above what may be sold.
    """
    owner = _TOTALS[row.object_type].objects.select_for_update().get(pk=row.about_id)
    changes = {}
    for name, amount in total.expected.items():
        before = getattr(owner, name)
        used = before + amount - total.found[name]
        limit = getattr(owner, name.replace("used_", "limit_"), None)
        if limit is not None and used > limit:
            raise CapacityError(f"The sum of {name} is {used}, more than the {limit} that may be sold.")
        changes[name] = (before, used)
        setattr(owner, name, used)
    owner.save(update_fields=list(changes))
    return changes
