"""Taking an image out of the shop."""

from django.db import transaction

from hosts.models import Image
from hosts.states import ImageState
from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import InvalidStateError
from panel.core.permissions import Permission


@transaction.atomic
def image_retire(*, actor: Actor, image: Image) -> Image:
    """Make an image impossible to order. Guests made from it, and its files, stay. Success when it is so already.

    Raises:
        InvalidStateError: it is being built just now.
    """
    actor.require(Permission.IMAGE_MANAGE)
    image = Image.objects.select_for_update().get(pk=image.pk)
    if image.state == ImageState.RETIRED:
        return image
    if image.state == ImageState.BUILDING:
        raise InvalidStateError("The image is being built. Retire it when the build has ended.", current=image.state)
    before, image.state = image.state, ImageState.RETIRED
    image.save(update_fields=["state"])
    audit_record(
        actor=actor,
        action="image.retired",
        object_type="image",
        object_id=image.pk,
        object_label=image.slug,
        changes={"state": (before, "retired")},
    )
    events.publish("image", image.pk)
    image.refresh_from_db()
    return image
