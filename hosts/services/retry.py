"""Trying a failed job on a host or an image again, and cancelling one."""

from hosts.models import Image
from hosts.services.images import image_rebuilding
from hosts.states import ImageState
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.cancelling import cancel_needs
from panel.core.errors import InvalidStateError
from panel.core.jobs import job_submit
from panel.core.models import Job
from panel.core.permissions import Permission
from panel.core.retry import retryable

_ACTIONS = ("host.check", "image.build", "image.copy")


def connect() -> None:
    """Make failed jobs on hosts and images retryable; whoever manages the fleet may cancel them."""
    retryable(_ACTIONS, job_again, needs=Permission.FLEET_MANAGE)
    cancel_needs(_ACTIONS, Permission.FLEET_MANAGE)


def job_again(actor: Actor, job: Job) -> Job:
    """Submit the same work on the same thing.

    Raises:
        InvalidStateError: it would build an image that is retired.
    """
    actor.require(Permission.FLEET_MANAGE)
    if job.action == "image.build":
        _check_image(job)
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


def _check_image(job: Job) -> None:
    image = Image.objects.select_for_update().get(pk=job.resources.get(type="image").resource_id)
    if image.state == ImageState.RETIRED:
        raise InvalidStateError("The image is retired.", current=image.state)
    image_rebuilding(image)
