"""Trying a failed job on a host or an image again, and cancelling one."""

from collections.abc import Sequence
from uuid import UUID

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
_RETIRED = "The image is retired."


def connect() -> None:
    """Make failed jobs on hosts and images retryable; whoever manages the fleet may cancel them."""
    retryable(_ACTIONS, job_again, needs=Permission.FLEET_MANAGE, hindrances=image_hindrances)
    cancel_needs(_ACTIONS, Permission.FLEET_MANAGE)


def image_hindrances(jobs: Sequence[Job]) -> dict[UUID, str]:
    """Return which images are not built again because they are retired; one query."""
    about = {job.pk: one.resource_id for job in jobs for one in job.resources.all() if one.type == "image"}
    gone = set(Image.objects.filter(pk__in=about.values(), state=ImageState.RETIRED).values_list("pk", flat=True))
    return {job.pk: _RETIRED for job in jobs if job.action == "image.build" and about.get(job.pk) in gone}


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
        raise InvalidStateError(_RETIRED, current=image.state)
    image_rebuilding(image)
