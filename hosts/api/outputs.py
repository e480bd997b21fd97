"""Hosts and pools in JSON: the mappers, and their shapes for OpenAPI."""

from typing import Any

from rest_framework import serializers

from hosts.drivers.types import Capability, HostType
from hosts.models import Host, HostConnection, StoragePool
from hosts.selectors import disk_room_gib
from hosts.states import HostState

Shape = serializers.Serializer[Any]


class NamedOut(Shape):
    """A thing's id and name."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class HostRoomOut(Shape):
    """What may be sold of something, and what is."""

    limit = serializers.IntegerField()
    used = serializers.IntegerField()


class HostCapacityOut(Shape):
    """A host's room. Thin disks count at their full size, a file system once."""

    vcpus = HostRoomOut()
    memory_mib = HostRoomOut()
    disk_gib = HostRoomOut()


class LoadOut(Shape):
    """The host's load as last seen; null when it was never seen."""

    cpu_percent = serializers.FloatField(allow_null=True)
    memory_percent = serializers.FloatField(allow_null=True)


class CapabilityOut(Shape):
    """Whether the host can do something, and if not, why, in one sentence."""

    capability = serializers.ChoiceField([c.value for c in Capability])
    available = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)


class ConnectionOut(Shape):
    """One hypervisor of a host."""

    host_type = serializers.ChoiceField([t.value for t in HostType])
    driver = serializers.CharField()
    uri = serializers.CharField()
    enabled = serializers.BooleanField()
    hypervisor = serializers.CharField(allow_blank=True)
    libvirt_version = serializers.CharField(allow_blank=True)
    emulated = serializers.BooleanField(help_text="Full machines run without hardware virtualization: slow.")
    capabilities = CapabilityOut(many=True)
    answers = serializers.BooleanField(help_text="It answered at the last look, within the last minute.")
    last_seen_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)


class HostOut(Shape):
    """A machine that runs guests."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    location = serializers.CharField()
    state = serializers.ChoiceField(HostState.choices)
    labels = serializers.DictField(child=serializers.CharField())
    address = serializers.CharField(allow_blank=True)
    host_types = serializers.ListField(child=serializers.ChoiceField([t.value for t in HostType]))
    emulated = serializers.BooleanField()
    cpus = serializers.IntegerField()
    cpu_model = serializers.CharField(allow_blank=True)
    memory_mib = serializers.IntegerField()
    cpu_overcommit = serializers.CharField()
    memory_overcommit = serializers.CharField()
    memory_reserve_mib = serializers.IntegerField(help_text="Kept for the host itself, never sold.")
    capacity = HostCapacityOut()
    load = LoadOut()
    connections = ConnectionOut(many=True)
    networks = NamedOut(many=True)
    boot_id = serializers.CharField(allow_blank=True)
    answers = serializers.BooleanField(
        help_text="Each of its hypervisors answered at the last look, within the last minute."
    )
    last_seen_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    version = serializers.IntegerField()


def host_json(host: Host) -> dict[str, Any]:
    """Return a host read by ``selectors.host_list_for``."""
    connections = sorted((c for c in host.connections.all()), key=lambda c: c.host_type)
    disk_limit_gib, disk_used_gib = disk_room_gib(host.pools.all())
    return {
        "id": host.pk,
        "name": host.name,
        "location": host.location,
        "state": host.state,
        "labels": host.labels,
        "address": host.address,
        "host_types": [c.host_type for c in connections if c.enabled],
        "emulated": any(c.emulated for c in connections if c.enabled),
        "cpus": host.cpus,
        "cpu_model": host.cpu_model,
        "memory_mib": host.memory_mib,
        "cpu_overcommit": str(host.cpu_overcommit),
        "memory_overcommit": str(host.memory_overcommit),
        "memory_reserve_mib": host.memory_reserve_mib,
        "capacity": {
            "vcpus": {"limit": host.limit_vcpus, "used": host.used_vcpus},
            "memory_mib": {"limit": host.limit_memory_mib, "used": host.used_memory_mib},
            "disk_gib": {"limit": disk_limit_gib, "used": disk_used_gib},
        },
        "load": {"cpu_percent": host.load_cpu_percent, "memory_percent": host.load_memory_percent},
        "connections": [connection_json(c) for c in connections],
        "networks": [{"id": n.pk, "name": n.name} for n in sorted(host.networks.all(), key=lambda n: n.name)],
        "boot_id": host.boot_id,
        "answers": host.answers,  # type: ignore[attr-defined]
        "last_seen_at": host.last_seen_at,
        "last_error": host.last_error,
        "created_at": host.created_at,
        "version": host.version,
    }


def connection_json(connection: HostConnection) -> dict[str, Any]:
    """Return one hypervisor of a host."""
    names = ("host_type", "driver", "uri", "enabled", "hypervisor", "libvirt_version", "emulated", "capabilities")
    return {name: getattr(connection, name) for name in (*names, "answers", "last_seen_at", "last_error")}


class PoolOut(Shape):
    """A directory on a host that disks are made in."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    host = NamedOut()
    path = serializers.CharField()
    overcommit = serializers.CharField()
    for_new_guests = serializers.BooleanField(
        help_text="False: there are only disks that were taken over. Its file system may be another pool's too."
    )
    limit_gib = serializers.IntegerField(help_text="What may be sold.")
    used_gib = serializers.IntegerField(help_text="What is sold, thin disks at full size.")
    capacity_bytes = serializers.IntegerField(help_text="Of the file system.")
    available_bytes = serializers.IntegerField(help_text="What the file system still has.")
    left_alone = serializers.BooleanField(
        help_text="A place of disks that were taken over and are left alone; the host's libvirt has no pool of it."
    )
    created_at = serializers.DateTimeField()
    version = serializers.IntegerField()


def pool_json(pool: StoragePool) -> dict[str, Any]:
    """Return a pool."""
    return {
        "id": pool.pk,
        "name": pool.name,
        "host": {"id": pool.host.pk, "name": pool.host.name},
        "path": pool.path,
        "overcommit": str(pool.overcommit),
        "for_new_guests": pool.for_new_guests,
        "limit_gib": pool.limit_gib,
        "used_gib": pool.used_gib,
        "capacity_bytes": pool.capacity_bytes,
        "available_bytes": pool.available_bytes,
        "left_alone": pool.left_alone,
        "created_at": pool.created_at,
        "version": pool.version,
    }
