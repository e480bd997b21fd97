"""A host on which files are needed by more than one."""

import uuid
from dataclasses import dataclass

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import DiskSpec, DomainSpec, HostType, KernelSpec, PoolSpec, VolumeFormat, VolumeRef
from hosts.models import Host, HostConnection
from hosts.registry import driver_of
from panel.core.models import Customer, Job
from panel.core.units import GIB
from tests.faults.deeds import Deeds
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.services.adoption import AdoptRequest, guest_adopt
from vms.services.guests import guest_delete

QCOW2 = VolumeFormat.QCOW2
THEIRS = PoolSpec(name="theirs", path="/srv/theirs")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A host on which somebody else's domain runs, with its disk in a directory of its own."""

    deeds: Deeds
    host: Host
    customer: Customer

    @property
    def driver(self) -> HypervisorDriver:
        return driver_of(HostConnection.objects.get(host=self.host, host_type="kvm"))

    def taken_over(self) -> tuple[Guest, VolumeRef]:
        """Have such a domain found and taken over. Returns its guest and its disk."""
        return self.take(self.deeds.found(pool=THEIRS.name))

    def take(self, row: Difference) -> tuple[Guest, VolumeRef]:
        guest, _ = guest_adopt(actor=self.deeds.staff, difference=row, request=AdoptRequest(customer=self.customer))
        assert [job.error_message for job in jobs_run()] == [""]
        return guest, VolumeRef(**row.found["disks"][0]["volume"])

    def other(
        self, *disks: VolumeRef, host_type: HostType = HostType.KVM, kernel: KernelSpec | None = None
    ) -> uuid.UUID:
        """Define a domain that nobody has started."""
        spec = DomainSpec(
            id=uuid.uuid4(), name="", host_type=host_type, vcpus=1, memory_mib=64, nics=(),
            disks=tuple(DiskSpec(volume=one, format=QCOW2) for one in disks), kernel=kernel,
        )  # fmt: skip
        self.deeds.fleet.admin.make_foreign_domain(
            self.host.name, spec.id, host_type=host_type, name="other", running=False, found=spec
        )
        return spec.id

    def overlay(self, base: VolumeRef, *, pool: str = THEIRS.name) -> VolumeRef:
        made = VolumeRef(pool, f"over-{uuid.uuid4().hex[:6]}.qcow2")
        self.driver.volume_create(made, format=QCOW2, capacity_bytes=GIB, backing=base, backing_format=QCOW2)
        return made

    def delete_ask(self, guest: Guest) -> Job:
        """Ask for a server's deletion."""
        return guest_delete(actor=self.deeds.staff, guest=Guest.objects.get(pk=guest.pk))

    def delete(self, guest: Guest) -> Job:
        """Delete a server. Returns the job as it ended."""
        self.delete_ask(guest)
        return jobs_run()[-1]

    def has(self, volume: VolumeRef) -> bool:
        return volume.name in self.deeds.fleet.admin.dump_host(self.host.name).directories[THEIRS.path].volumes
