"""Trying a failed job on a host or an image again."""

from panel.core.actors import Actor
from panel.core.jobs import job_submit
from panel.core.models import Job
from panel.core.permissions import Permission
from panel.core.retry import retryable


def connect() -> None:
    """Make failed jobs on hosts and images retryable."""
    retryable(["host.check", "image.build", "image.copy"], job_again)


def job_again(actor: Actor, job: Job) -> Job:
    """Submit the same work on the same thing."""
    actor.require(Permission.FLEET_MANAGE)
    return job_submit(
        action=job.action,
        actor=actor,
        resources=list(job.resources.values_list("type", "resource_id")),
        params=job.params,
        host_id=job.host_id,
        slot_kind=job.slot_kind,
        queue=job.queue,
    )
