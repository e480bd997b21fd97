"""Images in JSON: the mapper, and its shape for OpenAPI."""

from typing import Any

from rest_framework import serializers

from hosts.api.outputs import NamedOut, Shape
from hosts.drivers.types import HostType
from hosts.models import Image
from hosts.states import ImageState
from panel.core.actors import Actor
from panel.core.permissions import Permission


class ImageOut(Shape):
    """An installable operating system."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    os = serializers.CharField()
    os_version = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(ImageState.choices)
    boot = serializers.ChoiceField(["disk", "kernel"], help_text="`disk`: has its own boot loader and kernel.")
    cloud_init = serializers.BooleanField(
        help_text="Reads all user-data. Without it only a script that begins with `#!` is run."
    )
    host_types = serializers.ListField(child=serializers.ChoiceField([t.value for t in HostType]))
    min_disk_gib = serializers.IntegerField()
    min_memory_mib = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    checksum = serializers.CharField(allow_blank=True, help_text="SHA-256 over its files' checksums.")
    on_hosts = NamedOut(many=True, allow_null=True, help_text="Staff only: the hosts that have it already.")
    created_at = serializers.DateTimeField()
    version = serializers.IntegerField()


def image_json(image: Image, actor: Actor) -> dict[str, Any]:
    """Return an image that went through ``selectors.images_placed``."""
    names = ("slug", "name", "os", "os_version", "state", "boot", "cloud_init", "host_types", "min_disk_gib")
    placed = image.on_hosts if actor.may(Permission.FLEET_VIEW) else None  # type: ignore[attr-defined]
    return {
        "id": image.pk,
        **{name: getattr(image, name) for name in (*names, "min_memory_mib", "size_bytes", "checksum")},
        "on_hosts": None
        if placed is None
        else [{"id": pk, "name": name} for pk, name in sorted(placed.items(), key=lambda item: item[1])],
        "created_at": image.created_at,
        "version": image.version,
    }
