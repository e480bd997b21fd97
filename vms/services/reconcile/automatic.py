"""What the reconciler repairs by itself, as far as the limiter lets.

Only one thing is repaired without asking: a running server's rules against stolen addresses that are not in force are
loaded again. When staff ask for all servers that a host has lost, these follow one after the other in the same way.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Now

from hosts.models import Host
from hosts.states import HostState
from panel.core.actors import SYSTEM, Actor
from panel.core.models import Job, JobResource
from vms.models import Difference, DifferenceKind, DifferenceState, Guest
from vms.services.actions import guest_action_submit
from vms.services.limiter import as_limiter_lets
from vms.states import GuestAction

_AGAIN_AFTER = timedelta(minutes=30)  # of one difference: a repair that did not help is for people


def repairs_go_on(*, host_id: UUID, host_type: str) -> list[Job]:
    """Repair on one hypervisor what waits for it, as much as the limiter lets through. Returns the jobs."""
    rows = repairs_waiting().filter(host_id=host_id, host_type=host_type).order_by("created_at")
    return as_limiter_lets((row.about_id, partial(repair_submit, row, actor=SYSTEM)) for row in rows)


def repair_submit(difference: Difference, *, actor: Actor, params: Mapping[str, bool] | None = None) -> Job:
    """Submit the repair of a difference's guest. Raises: InvalidStateError, ResourceBusyError."""
    return guest_action_submit(
        actor=actor,
        guest=Guest.objects.get(pk=difference.about_id),
        action=GuestAction.REPAIR,
        params={"difference": str(difference.pk), **(params or {})},
    )


def repairs_waiting() -> QuerySet[Difference]:
    """Return what is to be repaired by itself, on hosts in service, and that nobody has begun to repair lately."""
    asked = Q(kind=DifferenceKind.GUEST_WITHOUT_DOMAIN) & ~Q(repair_asked_by="")
    jobs = JobResource.objects.filter(type="guest", resource_id=OuterRef("object_id"), job__action=GuestAction.REPAIR)
    of_this = jobs.annotate(of=KeyTextTransform("difference", "job__params")).filter(
        of=Cast(OuterRef("pk"), TextField()), job__created_at__gte=Now() - _AGAIN_AFTER
    )
    at_work = jobs.filter(slot__isnull=False)
    serving = Host.objects.filter(pk=OuterRef("host_id"), state=HostState.ACTIVE)
    rows = Difference.objects.filter(Q(kind=DifferenceKind.FILTER_MISSING) | asked, state=DifferenceState.OPEN)
    return rows.filter(Exists(serving)).exclude(Exists(of_this)).exclude(Exists(at_work))
