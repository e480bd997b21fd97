"""What things are called, for records that know only their type and id.

The kernel knows no guests and hosts: the app that owns a type says here how to find names when it is loaded.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from uuid import UUID

from panel.core.models import Job

Namer = Callable[[Collection[UUID]], dict[UUID, str]]
"""Returns the names of those of the ids that exist, in one query."""
JobNamer = Callable[[Sequence[Job]], Mapping[tuple[str, UUID], str]]
"""Returns names of what jobs of one action work on, by type and id; in the same number of queries for any number."""
_NAMERS: dict[str, Namer] = {}
_JOB_NAMERS: dict[str, JobNamer] = {}


def named_by(kind: str, namer: Namer) -> None:
    """Let ``namer`` say the names of a type of resource; called when an app is ready."""
    _NAMERS[kind] = namer


def named_by_jobs(action: str, namer: JobNamer) -> None:
    """Let ``namer`` say what jobs of an action work on that has no row of its own (any more); called when ready."""
    _JOB_NAMERS[action] = namer


def names_of(kind: str, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of those of the ids that exist; of a type that nobody names, none."""
    return _NAMERS[kind](ids) if ids and kind in _NAMERS else {}


def with_names(jobs: Iterable[Job]) -> list[Job]:
    """Attach ``resource_names`` to jobs, in a fixed number of queries a type of resource for any number of jobs."""
    rows = list(jobs)
    wanted: dict[str, set[UUID]] = {}
    for job in rows:
        for resource in job.resources.all():
            wanted.setdefault(resource.type, set()).add(resource.resource_id)
    names: dict[tuple[str, UUID], str] = {}
    for action, namer in _JOB_NAMERS.items():
        if some := [job for job in rows if job.action == action]:
            names.update(namer(some))
    names |= {(kind, pk): name for kind, ids in wanted.items() for pk, name in names_of(kind, ids).items()}
    for job in rows:
        job.resource_names = names  # type: ignore[attr-defined]
    return rows
