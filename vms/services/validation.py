"""What a customer may type: checked once, for the create itself and for its dry run."""

import re
from dataclasses import dataclass, field

from hosts.drivers.types import HostType
from hosts.models import Host, Image
from hosts.states import ImageState
from panel.core.errors import InvalidInputError
from panel.core.models import Customer
from panel.core.people.ssh_public_key import public_key_parse
from vms.services.user_data import user_data_error

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestRequest:
    """A guest as it was asked for, sizes resolved."""

    customer: Customer
    name: str
    host_type: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    image: Image
    plan_slug: str = ""
    bandwidth_mbit_per_s: int | None = None
    bandwidth_required: bool = False
    max_processes: int = 0
    ssh_keys: tuple[str, ...] = ()
    user_data: str = ""
    root_password: str | None = None
    want_password: bool = False
    host: Host | None = None
    location: str = ""
    external_id: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


def request_errors(request: GuestRequest) -> dict[str, str]:
    """Return every field that cannot be accepted, with one sentence each; empty when all is well."""
    errors: dict[str, str] = {}
    checks = {
        "name": _name(request.name),
        "image": _image(request),
        "ssh_keys": _keys(request.ssh_keys),
        "user_data": user_data_error(request.user_data),
    }
    errors.update({name: message for name, message in checks.items() if message})
    errors |= size_errors(
        request.image, vcpus=request.vcpus, memory_mib=request.memory_mib, disk_gib=request.disk_gib
    )  # fmt: skip
    if request.host_type not in set(HostType):
        errors["host_type"] = f"Choose one of: {', '.join(HostType)}."
    return errors


def size_errors(image: Image, *, vcpus: int, memory_mib: int, disk_gib: int) -> dict[str, str]:
    """Return what is too small for an image, by field; empty when the size is enough."""
    errors: dict[str, str] = {}
    if disk_gib < image.min_disk_gib:
        errors["disk_gib"] = f"The image {image.slug} needs a disk of at least {image.min_disk_gib} GiB."
    if memory_mib < image.min_memory_mib:
        errors["memory_mib"] = f"The image {image.slug} needs at least {image.min_memory_mib} MiB of memory."
    if vcpus < 1:
        errors["vcpus"] = "A server needs at least one vCPU."
    return errors


def _name(name: str) -> str:
    if all(_LABEL.fullmatch(part) for part in name.split(".")) and len(name) <= 63:
        return ""
    return "Use a host name: letters a to z, digits, hyphens and dots, at most 63 characters."


def _image(request: GuestRequest) -> str:
    image = request.image
    if image.state == ImageState.BUILDING:
        return f"The image {image.slug} is still being built."
    if image.state != ImageState.READY:
        return f"The image {image.slug} cannot be ordered."
    if request.host_type not in image.host_types:
        return f"The image {image.slug} does not run on {request.host_type.upper()}."
    return ""


def _keys(keys: tuple[str, ...]) -> str:
    for number, key in enumerate(keys, start=1):
        try:
            public_key_parse(key)
        except InvalidInputError as error:
            return f"Key {number}: {error}"
    return ""
