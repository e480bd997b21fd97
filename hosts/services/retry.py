"""Trying a failed job on a host or an image again, and cancelling one."""

from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.cancelling import cancel_needs
from panel.core.jobs import job_submit
from panel.core.models import Job
from panel.core.permissions import Permission
from panel.core.retry import retryable

_ACTIONS = ("host.check", "image.build", "image.copy")


def connect() -> None:
    """Make failed jobs on hosts and images retryable; whoever manages the fleet may cancel them."""
    retryable(_ACTIONS, job_again)
    cancel_needs(_ACTIONS, Permission.FLEET_MANAGE)


def job_again(actor: Actor, job: Job) -> Job:
    """Submit the same work on the same thing."""
    actor.require(Permission.FLEET_MANAGE)
    again = job_submit(
        action=job.action,
        actor=actor,
        resources=list(job.resources.values_list("type", "resource_id")),
        params=job.params,
        host_id=job.host_id,
        slot_kind=job.slot_kind,
        queue=job.queue,
    )
    audit_record(
        actor=actor, action="job.retried", object_type="job", object_id=again.pk, object_label=job.action
    )  # fmt: skip
    return again
