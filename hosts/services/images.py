"""Images: starter images, what a build made, and which host has which file."""

import hashlib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from hosts.models import Host, HostImage, Image, ImageFile
from hosts.states import ImageState
from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import ResourceBusyError
from panel.core.jobs import job_submit
from panel.core.models import Job

STARTERS = {
    "micro": {"name": "Micro", "os": "micro"},
    "debian-12": {"name": "Debian 12", "os": "debian", "os_version": "12"},
}


@transaction.atomic
def image_build(*, actor: Actor, slug: str, recipe_key: str) -> tuple[Image, Job | None]:
    """Order a starter image; no job when it is ready from this recipe, or being built."""
    image, created = Image.objects.get_or_create(slug=slug, defaults=STARTERS[slug])
    if image.state == ImageState.RETIRED:
        return image, None
    if image.state == ImageState.READY and image.recipe_key == recipe_key and files_present(image):
        return image, None
    try:
        job = job_submit(action="image.build", actor=actor, resources=[("image", image.pk)], queue="builder")
    except ResourceBusyError:
        return image, None
    image_rebuilding(image)
    if created:
        audit_record(actor=actor, action="image.ordered", object_type="image", object_id=image.pk, object_label=slug)
    return image, job


def image_rebuilding(image: Image) -> None:
    """Note that an image whose build failed is being built again."""
    if image.state == ImageState.ERROR:
        image.state = ImageState.BUILDING
        image.save(update_fields=["state"])
        events.publish("image", image.pk)


def files_present(image: Image) -> bool:
    """True when the cache still has all of the image's files."""
    return all((Path(settings.CACHE_DIR) / file.path).is_file() for file in image.files.all())


def image_record(*, image: Image, manifest: Mapping[str, Any], folder: str, recipe_key: str) -> Image:
    """Write down what a build made; ``folder`` is below the cache. Runs in the caller's transaction.

    Returns the image as it is now. What was retired meanwhile stays so.
    """
    image = Image.objects.select_for_update().get(pk=image.pk)
    files = manifest["files"]
    image.name, image.os, image.os_version = manifest["name"], manifest["os"], manifest["version"]
    image.boot, image.cloud_init = manifest["boot"], manifest["cloud_init"]
    image.host_types = [*manifest["host_types"]]
    image.min_disk_gib, image.min_memory_mib = manifest["min_disk_gib"], manifest["min_memory_mib"]
    image.kernel_arguments = manifest.get("kernel_arguments", "")
    image.lxc_init = manifest.get("lxc_init", "/sbin/init")
    image.size_bytes = sum(file["size_bytes"] for file in files.values())
    image.checksum = hashlib.sha256("".join(f["sha256"] for _, f in sorted(files.items())).encode()).hexdigest()
    image.recipe_key = recipe_key
    if image.state != ImageState.RETIRED:
        image.state = ImageState.READY
    image.save()
    # A file that changed is another file: no host has it yet, whatever it has of the old one.
    image.files.exclude(sha256__in=[file["sha256"] for file in files.values()]).delete()
    for role, file in files.items():
        ImageFile.objects.update_or_create(
            image=image,
            role=role,
            defaults={
                "path": f"{folder}/{file['file']}",
                "format": file["format"],
                "sha256": file["sha256"],
                "size_bytes": file["size_bytes"],
                "capacity_bytes": file["capacity_bytes"],
            },
        )
    events.publish("image", image.pk)
    return image


def roles_for(image: Image, host_type: str) -> tuple[str, ...]:
    """Return the roles of the files that a host of a type needs, the root disk first."""
    if host_type == "lxc":
        return ("lxc_root",)
    return ("kvm_disk", "kernel", "initrd") if image.boot == "kernel" else ("kvm_disk",)


def image_copy_wanted(*, actor: Actor, host: Host, image: Image, host_type: str) -> Job | None:
    """Submit the job that copies an image to a host; None when one is at work on it already."""
    held = uuid.uuid5(host.pk, f"{image.pk}:{host_type}")
    try:
        return job_submit(
            action="image.copy",
            actor=actor,
            resources=[("host-image", held)],
            host_id=host.pk,
            slot_kind="copy",
            params={"host": str(host.pk), "image": str(image.pk), "host_type": host_type},
        )
    except ResourceBusyError:
        return None


def image_lost(*, host: Host, image: Image, host_type: str) -> None:
    """Forget that a host has an image's files, because one of them was not found there."""
    HostImage.objects.filter(host=host, file__image=image, file__role__in=roles_for(image, host_type)).delete()


def is_on_host(*, host: Host, image: Image, host_type: str) -> bool:
    """True when every file that the type needs was copied to the host."""
    wanted = ImageFile.objects.filter(image=image, role__in=roles_for(image, host_type))
    have = HostImage.objects.filter(host=host, file__in=wanted).values_list("file_id", flat=True)
    return set(wanted.values_list("pk", flat=True)) <= set(have)
