"""Taking over a domain that the panel has not made, while it runs on."""

from collections.abc import Mapping
from typing import Any

from hosts.drivers.descriptions import DomainDescription
from hosts.drivers.types import PoolSpec
from hosts.models import StoragePool, Volume
from hosts.services.capacity import pools_left_alone
from hosts.services.enrolment import pool_measured
from panel.core import events
from panel.core.errors import InvalidStateError, PanelError
from panel.core.operations import Step, register
from vms.models import Guest
from vms.operations.base import GuestOperation
from vms.operations.specs import guest_spec
from vms.services.adoption import adopted
from vms.services.allocation import give_back
from vms.services.reconcile.guest_checks import domain_json
from vms.services.reconcile.record import plain
from vms.services.reconcile.settle import taken_over
from vms.states import GuestAction, Lifecycle

_MUST_AGREE = ("name", "persistent", "vcpus", "memory_mib", "user_namespace", "nics")
_OF_A_DISK = ("target", "kind", "source", "path", "format", "read_only")
_ROUNDED_BYTES = 4096  # QEMU rounds up what a file's own length says otherwise


@register
class GuestAdopt(GuestOperation):
    """Make a found domain a guest. It is not stopped, and its disks and devices are not touched."""

    action = GuestAction.ADOPT
    kind = GuestAction.ADOPT
    steps = (
        Step("ensure_as_found", "Make sure that it is as it was found"),
        Step("ensure_pools", "Make its disks' directories known"),
        Step("ensure_taken_over", "Take it over, and guard its addresses"),
    )

    def ensure_as_found(self) -> None:
        found = self.driver.domain_describe(self.guest.pk)
        if found.taken_over:
            return  # by a former attempt of this job
        if changed := differs(self.job.params["found"], found):
            raise InvalidStateError(
                "The domain is not as it was found any more. Check the host and try again.", detail=", ".join(changed)
            )

    def ensure_pools(self) -> None:
        pools = StoragePool.objects.filter(volumes__owner_id=self.guest.pk, volumes__left_alone=False).distinct()
        for pool in pools.order_by("name"):
            info = self.driver.pool_ensure(PoolSpec(name=pool.name, path=pool.path))
            with self.fenced():
                pool_measured(pool=pool, info=info)
                StoragePool.objects.filter(pk=pool.pk).update(left_alone=False)

    def ensure_taken_over(self) -> None:
        if not self.driver.domain_describe(self.guest.pk).taken_over:
            self.undo("let_go", configuration=self.driver.domain_configuration(self.guest.pk))
        self.driver.domain_take_over(guest_spec(self.guest))
        self.observe()

    def undo_let_go(self, *, configuration: str) -> None:
        """Leave the domain as it was."""
        self.driver.domain_let_go(self.guest.pk, configuration=configuration)

    def succeeded(self) -> None:
        super().succeeded()
        guest = Guest.objects.get(pk=self.guest.pk)
        adopted(guest=guest, params=self.job.params)
        taken_over(domain_id=guest.pk)

    def failed(self, error: PanelError) -> None:
        """There is no guest then: what it had taken is given back, and the domain may be taken over another time."""
        guest = (
            Guest.objects.select_for_update(of=("self",))
            .select_related("host", "pool", "customer")
            .filter(pk=self._guest_id, lifecycle=Lifecycle.PROVISIONING)
            .first()
        )
        if guest is None:
            return
        give_back(guest)
        Volume.objects.filter(owner_id=guest.pk).delete()
        guest.delete()
        if guest.host_id is not None:
            pools_left_alone(host_id=guest.host_id)
        events.publish("guest", self._guest_id, customer_id=self.job.customer_id)


def differs(before: Mapping[str, Any], found: DomainDescription) -> list[str]:
    """Return what of a domain is not as it was found. In which of the host's pools a disk is, is no matter of it."""
    now: dict[str, Any] = plain(domain_json(found))
    changed = [name for name in _MUST_AGREE if now[name] != before.get(name)]
    old, new = before["disks"], now["disks"]
    return changed if len(old) == len(new) and all(map(_same_disk, old, new)) else [*changed, "disks"]


def _same_disk(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    sizes = {-(-disk["capacity_bytes"] // _ROUNDED_BYTES) for disk in (old, new) if disk["capacity_bytes"]}
    return len(sizes) < 2 and all(old[name] == new[name] for name in _OF_A_DISK)
