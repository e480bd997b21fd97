"""Jobs of many: a parent holds no resource, no slot and no worker; each child's end brings it up to date."""

from collections import Counter
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.db.models.functions import Now

from panel.core import events
from panel.core.actors import Actor
from panel.core.models import Job, JobStatus
from panel.core.models.jobs import ACTIVE


def parent_make(*, action: str, actor: Actor, customer_id: UUID | None) -> Job:
    """Insert a parent, in the transaction that submits its children; it ends when all of them have."""
    return Job.objects.create(
        action=action,
        status=JobStatus.RUNNING,
        customer_id=customer_id,
        actor_kind=actor.kind,
        actor_user_id=actor.user_id,
        actor_client_id=actor.client_id,
        actor_label=actor.label,
        request_id=actor.request_id,
        started_at=Now(),
    )


def parent_recompute(parent_id: UUID) -> None:
    """Bring a parent in step with its children. One that failed makes it failed, else one cancelled cancelled."""
    parent = Job.objects.select_for_update(no_key=True).get(pk=parent_id)
    count = Counter(parent.children.values_list("status", flat=True))
    total, active = count.total(), sum(count[status] for status in ACTIVE)
    fields: dict[str, Any] = {"progress_percent": 100 * (total - active) // total if total else 100}
    if not active:
        failed, cancelled = count[JobStatus.ERROR], count[JobStatus.CANCELLED]
        fields |= {"status": JobStatus.SUCCESS, "finished_at": Now()}
        if failed:
            fields |= {"status": JobStatus.ERROR, "error_code": "children_failed"}
            fields["error_message"] = f"{failed} of {total} failed."
        elif cancelled:
            fields |= {"status": JobStatus.CANCELLED, "error_code": "job_cancelled"}
            fields["error_message"] = f"{cancelled} of {total} were cancelled."
    Job.objects.filter(pk=parent_id).update(**fields)
    events.publish("job", parent_id, customer_id=parent.customer_id, final=not active)


def children_counted(parent_ids: Collection[UUID]) -> dict[UUID, Counter[str]]:
    """Return how many children of each status these jobs have; those without are left out. One query."""
    found: dict[UUID, Counter[str]] = {}
    rows = Job.objects.filter(parent__in=parent_ids).order_by().values_list("parent", "status").annotate(Count("pk"))
    for parent_id, status, number in rows:
        found.setdefault(parent_id, Counter())[status] = number
    return found
