"""Looking at a host: facts, capabilities, pools, limits."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import transaction

from hosts import registry
from hosts.calls import guarded
from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import HostFacts, PoolInfo, PoolSpec
from hosts.models import Host, HostConnection, Image, StoragePool
from hosts.services.enrolment import limits_recompute, pool_measured
from hosts.services.images import image_copy_wanted
from hosts.states import HostState, ImageState
from panel.core import events
from panel.core.actors import SYSTEM
from panel.core.clock import database_now
from panel.core.errors import PanelError
from panel.core.operations import Operation, Step, register

Look = Callable[[HypervisorDriver, HostConnection], None]
_LOOKS: list[Look] = []


def look_add(look: Look) -> None:
    """Let an app above this one look at a hypervisor, too, when its host is checked."""
    _LOOKS.append(look)


_FOUND = ("hypervisor", "libvirt_version", "emulated", "capabilities", "last_seen_at", "last_error")


@register
class HostCheck(Operation):
    """Ask every hypervisor of a host what it is and can do, make its pools, recompute what may be sold."""

    action = "host.check"
    steps = (
        Step("read_facts", "Ask the hypervisors", deadline_s=60),
        Step("ensure_pools", "Prepare storage", deadline_s=60),
        Step("compare", "Compare it with the panel", deadline_s=60),
    )

    def prepare(self) -> None:
        self.host = Host.objects.get(pk=self.job.resources.get(type="host").resource_id)
        # The hypervisor with which the pools are compared comes last: by then what the others use of them is known.
        connections = HostConnection.objects.filter(host=self.host, enabled=True)
        self.connections = list(connections.order_by("-host_type"))
        self.facts: dict[UUID, HostFacts] = {}
        self.pools: dict[UUID, PoolInfo] = {}

    def driver(self, connection: HostConnection) -> HypervisorDriver:
        """Return the guarded driver of one connection."""
        return guarded(
            lambda: registry.driver_of(connection), fence=self.verify, deadline_s=lambda: self.step_now.deadline_s
        )

    def read_facts(self) -> None:
        for connection in self.connections:
            self.facts[connection.pk] = self.driver(connection).facts()

    def ensure_pools(self) -> None:
        if not self.connections:
            return
        # libvirt's daemons on a host share their pools; a simulated host keeps them per connection.
        for pool in StoragePool.objects.managed().filter(host=self.host):
            for connection in self.connections:
                spec = PoolSpec(name=pool.name, path=pool.path)
                self.pools[pool.pk] = self.driver(connection).pool_ensure(spec)

    def compare(self) -> None:
        for connection in self.connections:
            for look in _LOOKS:
                look(self.driver(connection), connection)

    def succeeded(self) -> None:
        now = database_now()
        for connection in self.connections:
            facts = self.facts[connection.pk]
            connection.hypervisor, connection.libvirt_version = facts.hypervisor, facts.libvirt_version
            connection.emulated = facts.emulated
            connection.capabilities = [_plain(asdict(state)) for state in facts.capabilities]
            connection.last_seen_at, connection.last_error = now, ""
            connection.save(update_fields=_FOUND)  # where it is may have been changed meanwhile
        self._record_host(next(iter(self.facts.values()), None), now)
        for pool in StoragePool.objects.filter(pk__in=self.pools).order_by("pk"):
            pool_measured(pool=pool, info=self.pools[pool.pk])

    def _record_host(self, facts: HostFacts | None, now: Any) -> None:
        host = Host.objects.select_for_update().get(pk=self.host.pk)
        if facts is not None:
            host.cpus, host.cpu_model, host.memory_mib = facts.cpus, facts.cpu_model[:120], facts.memory_mib
            host.boot_id = facts.boot_id
        limits_recompute(host)
        if host.state == HostState.ENROLLING:
            host.state = HostState.ACTIVE
            transaction.on_commit(self._fetch_images, robust=True)
        host.last_seen_at, host.last_error = now, ""
        host.save()
        events.publish("host", host.pk)

    def _fetch_images(self) -> None:
        """Order copies of all images, so that the first server does not wait for one."""
        for image in Image.objects.filter(state=ImageState.READY):
            for connection in self.connections:
                if connection.host_type in image.host_types:
                    image_copy_wanted(actor=SYSTEM, host=self.host, image=image, host_type=connection.host_type)

    def failed(self, error: PanelError) -> None:
        host_id = self.job.resources.get(type="host").resource_id
        Host.objects.filter(pk=host_id).update(last_error=str(error))
        events.publish("host", host_id)


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    return state | {"capability": str(state["capability"])}
