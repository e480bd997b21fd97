"""Why jobs on guests that failed cannot be tried again now: foreseen for a page of them, and asked when one is."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

from panel.core.models import Job, JobStatus
from vms.models import Guest
from vms.selectors import difference_rows, power_shown
from vms.services.actions import action_refusal
from vms.services.reconcile.actions import RELEASE, REPAIR, refusals
from vms.states import GuestAction, Lifecycle

DELETED = "The server has been deleted."
CLOSED = "The difference is closed."
Look = Callable[[Job, Guest], str]


def hindrances_by_guest(jobs: Sequence[Job], look: Look) -> dict[UUID, str]:
    """Return why jobs on one guest each cannot be tried again, by the state that it is in; two queries."""
    about = {job.pk: _resource(job, "guest") for job in jobs}
    guests = _guests(about.values())
    found = {}
    for job in jobs:
        guest = guests.get(about[job.pk])
        found[job.pk] = look(job, guest) if guest else DELETED
    return _said(found)


def action_hindrances(jobs: Sequence[Job]) -> dict[UUID, str]:
    """Return why the actions of failed jobs cannot be tried again; two queries."""
    return hindrances_by_guest(jobs, guest_hindrance)


def guest_hindrance(job: Job, guest: Guest) -> str:
    """Return why the action of a failed job makes no sense any more for a guest, or ""."""
    action = GuestAction(job.action)
    if action is GuestAction.CREATE and guest.build_number > 1:
        # Its undo would take away a disk that another job has made.
        return "The server has been built since. Rebuild it instead."
    if action is GuestAction.REBUILD and not _rebuild_is_of_use(job, guest):
        return "The rebuild changed nothing. Ask for it anew."
    return action_refusal(guest, action)


def _rebuild_is_of_use(job: Job, guest: Guest) -> bool:
    number = job.params.get("build_number")
    halfway = guest.build_number + 1 == number and not job.params.get("reverted") and guest.lifecycle == Lifecycle.ERROR
    return halfway or bool(guest.build_number == number)


def bulk_hindrances(jobs: Sequence[Job]) -> dict[UUID, str]:
    """Return why jobs of many cannot be tried again: when none of those that failed can; three queries."""
    ended = Job.objects.filter(parent__in=jobs, status__in=(JobStatus.ERROR, JobStatus.CANCELLED))
    about: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for parent_id, guest_id in ended.values_list("parent_id", "resources__resource_id"):
        about[parent_id].append(guest_id)
    guests = _guests([pk for ids in about.values() for pk in ids])
    return _said({job.pk: _many_refusal(job, [guests.get(pk) for pk in about[job.pk]]) for job in jobs})


def _many_refusal(job: Job, guests: Sequence[Guest | None]) -> str:
    action = GuestAction(f"guest.{job.action.partition('.')[2]}")
    refused = [action_refusal(guest, action) if guest else DELETED for guest in guests]
    if not all(refused):
        return ""
    return refused[0] if len(set(refused)) == 1 else "None of the servers whose job failed can do this now."


def repair_hindrances(jobs: Sequence[Job]) -> dict[UUID, str]:
    """Return which repairs have no difference any more, or one that cannot be repaired; one query."""
    return _difference_hindrances({job.pk: job.params.get("difference") for job in jobs}, REPAIR)


def release_hindrances(jobs: Sequence[Job]) -> dict[UUID, str]:
    """Return which volumes need no release any more, or must stay; one query."""
    return _difference_hindrances({job.pk: _resource(job, "difference") for job in jobs}, RELEASE)


def _difference_hindrances(about: Mapping[UUID, UUID | str | None], action: str) -> dict[UUID, str]:
    wanted = [pk for pk in about.values() if pk]
    rows = {str(row.pk): row for row in difference_rows().filter(pk__in=wanted)}
    found = {}
    for job_id, pk in about.items():
        row = rows.get(str(pk))
        found[job_id] = refusals(row)[action] if row else CLOSED
    return _said(found)


def _said(found: Mapping[UUID, str]) -> dict[UUID, str]:
    return {pk: why for pk, why in found.items() if why}


def _guests(ids: Iterable[UUID | None]) -> dict[UUID | None, Guest]:
    rows = Guest.objects.filter(pk__in=[pk for pk in ids if pk]).exclude(lifecycle=Lifecycle.DELETED)
    return {guest.pk: guest for guest in rows.annotate(power_shown=power_shown()).prefetch_related("suspensions")}


def _resource(job: Job, kind: str) -> UUID | None:
    return next((one.resource_id for one in job.resources.all() if one.type == kind), None)
