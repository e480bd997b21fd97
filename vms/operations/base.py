"""What all operations on a guest share."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from hosts import registry
from hosts.calls import guarded
from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import DomainInfo, PowerState, VolumeRef
from hosts.models import Host, Volume
from panel.core import events
from panel.core.errors import CapacityError, DriverError, InvalidStateError, PanelError
from panel.core.models import Job
from panel.core.operations import Operation
from vms.models import Guest
from vms.operations import specs
from vms.states import RULES, GuestAction, Lifecycle


class GuestOperation(Operation):
    """An operation that holds one guest. Records power state as observed at the end."""

    kind: ClassVar[GuestAction]

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.observed: DomainInfo | None = None

    def prepare(self) -> None:
        self.guest = Guest.objects.select_related("host", "pool", "image", "customer").get(pk=self._guest_id)
        if Lifecycle(self.guest.lifecycle) not in RULES[self.kind].allowed_from:
            raise InvalidStateError(f"The server is {Lifecycle(self.guest.lifecycle).label.lower()}.")
        if self.guest.host is None or self.guest.pool is None:
            raise CapacityError("The server has no host.")
        host_id = self.guest.host.pk
        self.driver: HypervisorDriver = guarded(
            lambda: registry.driver_for(host_id, self.guest.host_type),
            fence=self.verify,
            deadline_s=lambda: self.step_now.deadline_s,
            meanwhile=self.meanwhile,
        )

    def meanwhile(self) -> None:
        """Called every second of a long hypervisor call."""

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """See ``Operation.fenced``; the guest's row is locked before the job's, as everywhere."""
        with transaction.atomic():
            list(Guest.objects.select_for_update(no_key=True).filter(pk=self._guest_id))
            with super().fenced():
                yield

    def write(self, **fields: Any) -> None:
        """Write fields of the guest in the middle of a job, fenced."""
        with self.fenced():
            Guest.objects.filter(pk=self._guest_id).update(**fields)

    @property
    def pool_name(self) -> str:
        """The host's name of the guest's pool."""
        assert self.guest.pool is not None  # noqa: S101 - prepare() made sure
        return self.guest.pool.name

    def root_volume(self) -> VolumeRef:
        """The root disk's volume."""
        return specs.root_volume(self.guest)

    def seed_volume(self) -> VolumeRef:
        """The seed's volume. Raises: InvalidStateError for a guest that has none."""
        volume = specs.seed_volume(self.guest)
        if volume is None:
            raise InvalidStateError("The server was taken over and has no seed.")
        return volume

    def record_volume(self, volume: VolumeRef, *, kind: str, capacity_bytes: int) -> Volume:
        """Write down a volume that the panel made."""
        with self.fenced():
            row, _ = Volume.objects.update_or_create(
                pool=self.guest.pool,
                name=volume.name,
                defaults={
                    "kind": kind,
                    "format": volume.name.rsplit(".", 1)[1],
                    "capacity_bytes": capacity_bytes,
                    "owner_id": self.guest.pk,
                },
            )
        return row

    def delete_volume(self, volume: VolumeRef) -> None:
        """Delete a volume, and what is written down of it."""
        self.driver.volume_delete(volume)
        with self.fenced():
            rows = Volume.objects.filter(pool__host=self.guest.host, pool__name=volume.pool, name=volume.name)
            rows.delete()

    # ── outcome ─────────────────────────────────────────────────────────────────────────────────
    def observe(self) -> None:
        """Ask the host what the guest is now; a step of its own, so that the record is what was seen."""
        self.observed = self.driver.domain_info(self.guest.pk)

    def look_again(self) -> None:
        with suppress(DriverError):
            self.observe()

    def changes(self) -> dict[str, Any]:
        """Fields of the guest to write on success, beside lifecycle and power."""
        return {}

    def succeeded(self) -> None:
        rule = RULES[self.kind]
        fields: dict[str, Any] = self.changes()
        if rule.on_success is not None:
            fields |= {"lifecycle": rule.on_success, "error_message": ""}
        self._record(fields)

    def failed(self, error: PanelError) -> None:
        rule = RULES[self.kind]
        fields: dict[str, Any] = {}
        if rule.on_error is not None and not self._untouched():
            fields |= {"lifecycle": rule.on_error, "error_message": str(error)}
        self._record(fields)

    def _record(self, fields: dict[str, Any]) -> None:
        if self.observed is not None:
            fields |= {
                "power_state": self.observed.state,
                "state_reason": self.observed.state_reason,
                "observed_at": Now(),  # as the collector's: a worker's own clock may be wrong
                "off_since": None,
            }
            if self.observed.state in (PowerState.RUNNING, PowerState.PAUSED):
                fields["seen_boot_id"] = Host.objects.values_list("boot_id", flat=True).get(guests=self._guest_id)
        if fields:
            Guest.objects.filter(pk=self._guest_id).update(**fields)
        events.publish("guest", self._guest_id, customer_id=self.job.customer_id)

    def _untouched(self) -> bool:
        """True when no attempt has begun its first step and there is a guest as good as before."""
        return not self.job.steps and Guest.objects.filter(pk=self._guest_id, lifecycle=Lifecycle.ACTIVE).exists()

    @cached_property
    def _guest_id(self) -> UUID:
        guest_id: UUID = self.job.resources.get(type="guest").resource_id
        return guest_id

    def stop_now(self) -> None:
        """Cut the power if it is on."""
        if self.driver.domain_info(self.guest.pk).state is not PowerState.SHUTOFF:
            self.driver.domain_destroy(self.guest.pk)
