"""Reads of the fleet and of images. What is out of sight does not exist (404)."""

import ipaddress
import re
import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet

from hosts.models import Host, HostConnection, HostImage, Image, IPAddress, Network, StoragePool
from hosts.models.hosts import ANSWERS, SEEN_LATELY
from hosts.states import ImageState
from panel.core.actors import Actor
from panel.core.errors import InvalidInputError, NotFoundError
from panel.core.ip import address_parse
from panel.core.models import Job
from panel.core.permissions import Permission

_SLUG = re.compile(r"^[A-Za-z0-9_-]{1,63}$")


def _one(rows: QuerySet[Any], what: str, *, lock: bool = False, **match: Any) -> Any:
    found = (rows.select_for_update(of=("self",)) if lock else rows).filter(**match).first()
    if found is None:
        raise NotFoundError(f"There is no such {what}.")
    return found


def by_id_or_slug(text: str) -> dict[str, Any]:
    """Return the filter for a reference that may be an id or a slug. Raises NotFoundError when it is neither."""
    try:
        return {"pk": UUID(text)}
    except ValueError:
        if not _SLUG.fullmatch(text):
            raise NotFoundError from None
        return {"slug": text}


def host_names(ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of hosts."""
    return dict(Host.objects.filter(pk__in=ids).values_list("pk", "name"))


def copy_names(jobs: Sequence[Job]) -> dict[tuple[str, UUID], str]:
    """Return what jobs that copy an image to a host work on: "Debian 12 (KVM) → fsn-01". Two queries."""
    known = [job for job in jobs if {"host", "image", "host_type"} <= job.params.keys()]
    hosts = host_names({UUID(job.params["host"]) for job in known})
    images = image_names({UUID(job.params["image"]) for job in known})
    found = {}
    for job in known:
        image, host = images.get(UUID(job.params["image"]), ""), hosts.get(UUID(job.params["host"]), "")
        for resource in job.resources.all():
            found[resource.type, resource.resource_id] = f"{image} ({job.params['host_type'].upper()}) → {host}"
    return found


def image_names(ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of images."""
    return dict(Image.objects.filter(pk__in=ids).values_list("pk", "name"))


def host_list_for(actor: Actor) -> QuerySet[Host]:
    """All hosts, with connections, pools and networks; only for those who see the fleet.

    Hosts and connections have ``answers``: whether they were seen within ``SILENT_AFTER`` and were not silent at the
    last look. Of a host its hypervisors tell, because its own ``last_error`` may be that of a check that failed.
    """
    actor.require(Permission.FLEET_VIEW)
    connections = Prefetch("connections", HostConnection.objects.annotate(answers=ANSWERS))
    silent = HostConnection.objects.filter(host=OuterRef("pk"), enabled=True).exclude(last_error="")
    return Host.objects.annotate(answers=SEEN_LATELY & ~Exists(silent)).prefetch_related(
        connections, "pools", "networks"
    )


def host_get_for(actor: Actor, host_id: UUID, *, lock: bool = False) -> Host:
    """Return a host, locked until the transaction ends if asked. Raises NotFoundError."""
    host: Host = _one(host_list_for(actor), "host", lock=lock, pk=host_id)
    return host


def hosts_named(actor: Actor, ids: Iterable[UUID]) -> list[Host]:
    """Return the hosts of these ids, in their order. Raises NotFoundError when one does not exist."""
    actor.require(Permission.FLEET_VIEW)
    wanted = list(dict.fromkeys(ids))
    found = Host.objects.in_bulk(wanted)
    if len(found) < len(wanted):
        raise NotFoundError("There is no such host.")
    return [found[pk] for pk in wanted]


def pool_list_for(actor: Actor) -> QuerySet[StoragePool]:
    """All storage pools."""
    actor.require(Permission.FLEET_VIEW)
    return StoragePool.objects.select_related("host")


def pool_get_for(actor: Actor, pool_id: UUID, *, lock: bool = False) -> StoragePool:
    """Return a pool, locked until the transaction ends if asked. Raises NotFoundError."""
    pool: StoragePool = _one(pool_list_for(actor), "pool", lock=lock, pk=pool_id)
    return pool


def file_systems(pools: Iterable[StoragePool]) -> list[StoragePool]:
    """Return one pool of each file system of each host: a directory that was taken over is on one that counts already.

    No host says which directories share a file system. One of a size that is the same to the byte is taken for it.
    """
    found: dict[tuple[UUID, int], StoragePool] = {}
    for pool in sorted(pools, key=lambda one: (not one.for_new_guests, one.name)):
        if pool.capacity_bytes and not pool.left_alone:
            found.setdefault((pool.host_id, pool.capacity_bytes), pool)
    return list(found.values())


def disk_room_gib(pools: Collection[StoragePool]) -> tuple[int, int]:
    """Return (what may be sold, what is sold) of a host's pools.

    Where only disks are that were taken over nothing more is sold: on a file system that counts already such a place
    adds nothing that may be, elsewhere what it has.
    """
    own = [pool for pool in pools if pool.for_new_guests]
    counted = {pool.capacity_bytes for pool in own if pool.capacity_bytes}
    elsewhere = [pool for pool in pools if not pool.for_new_guests and pool.capacity_bytes not in counted]
    limit = sum(pool.limit_gib for pool in own) + sum(pool.used_gib for pool in elsewhere)
    return limit, sum(pool.used_gib for pool in pools)


def network_list_for(actor: Actor) -> QuerySet[Network]:
    """All networks. Follow with ``networks_counted`` for those that are shown."""
    actor.require(Permission.FLEET_VIEW)
    return Network.objects.prefetch_related("hosts")


def network_get_for(actor: Actor, network_id: UUID, *, lock: bool = False) -> Network:
    """Return a network, locked until the transaction ends if asked. Raises NotFoundError."""
    network: Network = _one(network_list_for(actor), "network", lock=lock, pk=network_id)
    return network


def networks_counted(networks: list[Network]) -> list[Network]:
    """Attach how many addresses are free and taken, in one query."""
    counts = {
        row["network_id"]: row
        for row in IPAddress.objects.filter(network__in=networks)
        .values("network_id")
        .annotate(
            v4=Count("pk", filter=Q(family=4)),
            v4_taken=Count("pk", filter=Q(family=4, owner_id__isnull=False)),
            v6_taken=Count("pk", filter=Q(family=6, owner_id__isnull=False)),
        )
    }
    for network in networks:
        network.counts = counts.get(network.pk, {"v4": 0, "v4_taken": 0, "v6_taken": 0})  # type: ignore[attr-defined]
    return networks


def address_list_for(actor: Actor) -> QuerySet[IPAddress]:
    """Every IPv4 address of every network, free or taken, and the taken IPv6 ones."""
    actor.require(Permission.FLEET_VIEW)
    return IPAddress.objects.exclude(family=6, owner_id__isnull=True).select_related("network")


def address_search(rows: QuerySet[IPAddress], text: str) -> QuerySet[IPAddress]:
    """Narrow to one address, to those of a subnet (``10.0.0.0/28``), or to those that begin with ``text``."""
    try:
        return rows.filter(address=str(address_parse(text)))
    except ValueError:
        pass
    try:
        subnet = ipaddress.ip_network(text)
    except ValueError:
        return rows.filter(address__startswith=text)
    return rows.filter(
        address__gte=str(subnet.network_address), address__lte=str(subnet.broadcast_address), family=subnet.version
    )


def image_list_for(actor: Actor) -> QuerySet[Image]:
    """Images: those who see the fleet see all of them, everybody else the ones that can be ordered."""
    rows = Image.objects.all()
    return rows if actor.may(Permission.FLEET_VIEW) else rows.filter(state=ImageState.READY)


def image_get_for(actor: Actor, reference: str) -> Image:
    """Return an image by id or slug. Raises NotFoundError."""
    image: Image = _one(image_list_for(actor), "image", **by_id_or_slug(reference))
    return image


def image_chosen(actor: Actor, reference: str) -> Image:
    """Return the image that the field ``image`` names. Raises InvalidInputError."""
    try:
        return image_get_for(actor, reference)
    except NotFoundError as error:
        raise InvalidInputError(fields={"image": f"There is no image {reference}."}) from error


def images_placed(images: list[Image]) -> list[Image]:
    """Attach the hosts that have files of each image, in one query."""
    hosts: dict[uuid.UUID, dict[UUID, str]] = {}
    copies = HostImage.objects.filter(file__image__in=images).values_list("file__image_id", "host_id", "host__name")
    for image_id, host_id, host_name in copies:
        hosts.setdefault(image_id, {})[host_id] = host_name
    for image in images:
        image.on_hosts = hosts.get(image.pk, {})  # type: ignore[attr-defined]
    return images
