"""One way to ask for everything that a job can do, on a simulated host, again and again."""

import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from hosts.drivers.types import AddressSpec, DiskSpec, DomainSpec, HostType, NicSpec, VolumeFormat, VolumeRef
from hosts.models import Host, HostConnection, IPAddress, StoragePool
from hosts.operations import images as image_operations
from hosts.registry import driver_of
from hosts.services.hosts import host_check
from hosts.services.images import image_build, image_copy_wanted
from panel.core.actors import SYSTEM
from panel.core.models import Customer, Job
from panel.core.operations import registered
from panel.core.units import GIB, MIB
from tests import factories
from tests.services.guests import order
from tests.simulated_fleet import Fleet, jobs_run
from vms.models import Difference, Guest
from vms.operations.survey import compare_connection
from vms.services import access
from vms.services.actions import guest_action_submit, seed_scrub
from vms.services.adoption import AdoptRequest, guest_adopt
from vms.services.guests import guest_delete
from vms.services.reconcile.actions import difference_release
from vms.services.resize import guest_resize
from vms.services.suspension import guest_suspend, guest_unsuspend
from vms.states import RULES, GuestAction, PowerState

ACTIONS = sorted(action for action in registered() if not action.startswith("test."))
# Every action, on KVM; and taking over a container, whose disk is left alone.
DEEDS = [pytest.param(action, HostType.KVM, id=action) for action in ACTIONS] + [
    pytest.param(str(GuestAction.ADOPT), HostType.LXC, id=f"{GuestAction.ADOPT}-lxc")
]

_BUILDER = """
import json, pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index('--output') + 1])
out.mkdir(parents=True, exist_ok=True)
formats = {'kvm_disk': 'qcow2', 'kernel': 'raw', 'initrd': 'raw', 'lxc_root': 'raw'}
files = {role: {'file': role, 'format': form, 'sha256': str(number) * 64, 'size_bytes': 5, 'capacity_bytes': 5}
         for number, (role, form) in enumerate(formats.items())}
for file in files.values():
    (out / file['file']).write_bytes(b'12345')
(out / 'manifest.json').write_text(json.dumps({
    'name': 'Debian 12', 'os': 'debian', 'version': '12', 'boot': 'kernel', 'cloud_init': False,
    'host_types': ['kvm', 'lxc'], 'min_disk_gib': 1, 'min_memory_mib': 96, 'kernel_arguments': 'quiet',
    'files': files}))
"""


class Deeds:
    """Asks for actions on a host, each time on something new. What an action needs before is done first."""

    host_type: str = HostType.KVM

    def __init__(self, fleet: Fleet, host: Host, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fleet, self.host, self.customer, self._monkeypatch = fleet, host, customer, monkeypatch
        self.staff = factories.actor_make(factories.staff_make())
        self._count = 0
        self._own: dict[str, Callable[[], Job | None]] = {
            GuestAction.CREATE: lambda: order(self.customer, name=self._name(), host_type=self.host_type).job,
            GuestAction.DELETE: lambda: guest_delete(actor=self.staff, guest=self._running()),
            GuestAction.REBUILD: lambda: access.guest_rebuild(actor=self.staff, guest=self._running())[0],
            GuestAction.RESET_ROOT_PASSWORD: lambda: access.guest_reset_root_password(
                actor=self.staff, guest=self._running(), root_password=None
            )[0],
            GuestAction.RESIZE: lambda: guest_resize(
                actor=self.staff, guest=self._off(), vcpus=2, memory_mib=512, disk_gib=3
            ),
            GuestAction.SUSPEND: lambda: self._suspend(self._running()),
            GuestAction.UNSUSPEND: self._unsuspend,
            GuestAction.SCRUB_SEED: lambda: seed_scrub(guest=self._running(ssh_keys=())),
            GuestAction.REPAIR: self._repair,
            GuestAction.ADOPT: lambda: guest_adopt(
                actor=self.staff, difference=self.found_here(), request=AdoptRequest(customer=self.customer)
            )[1],
            "volume.release": self._release,
            "host.check": lambda: host_check(actor=self.staff, host=self.host),
            "image.copy": self._copy,
            "image.build": self._build,
        }

    @property
    def pool(self) -> StoragePool:
        """Where the host's own disks are."""
        return self.host.pools.get(for_new_guests=True)

    def ask(self, action: str) -> Job:
        """Submit a job of this action. Those of guests that are not named here need no more than a guest."""
        job = self._own[action]() if action in self._own else self._act(GuestAction(action))
        assert job is not None
        return job

    def _act(self, action: GuestAction) -> Job:
        guest = self._running() if PowerState.RUNNING in RULES[action].power else self._off()
        return guest_action_submit(actor=self.staff, guest=guest, action=action)

    def _name(self) -> str:
        self._count += 1
        return f"web-{self._count}"

    def _running(self, **fields: Any) -> Guest:
        guest = order(self.customer, name=self._name(), host_type=self.host_type, **fields).guest
        return self._done(guest)

    def _off(self) -> Guest:
        guest = self._running()
        guest_action_submit(actor=self.staff, guest=guest, action=GuestAction.STOP)
        return self._done(guest)

    def _done(self, guest: Guest) -> Guest:
        assert [job.status for job in jobs_run()] == ["success"]
        guest.refresh_from_db()
        return guest

    def _suspend(self, guest: Guest) -> Job | None:
        return guest_suspend(actor=self.staff, guest=guest, reason="payment")

    def _unsuspend(self) -> Job | None:
        guest = self._running()
        self._suspend(guest)
        return guest_unsuspend(actor=self.staff, guest=self._done(guest))

    def _repair(self) -> Job:
        guest = self._running()
        self.spoil(guest)
        return guest_action_submit(actor=self.staff, guest=guest, action=GuestAction.REPAIR)

    def spoil(self, guest: Guest) -> None:
        """Change a guest's configuration by hand."""
        self.fleet.admin.change_domain(self.host.name, guest.pk, memory_mib=1024)

    def _connection(self) -> HostConnection:
        return HostConnection.objects.get(host=self.host, host_type="kvm")

    def _difference(self, kind: str, label: str) -> Difference:
        for connection in HostConnection.objects.filter(host=self.host).order_by("-host_type"):
            compare_connection(driver_of(connection), connection, anew=True)
        return Difference.objects.get(kind=kind, label=label, state="open")

    def found(self, *, pool: str = "") -> Difference:
        """Put a domain of somebody else's on the host, and have it found. Its disk is in the host's own ``pool``."""
        name = f"{self._name()}.qcow2"
        volume = VolumeRef(pool or self.pool.name, name)
        driver_of(self._connection()).volume_create(volume, format=VolumeFormat.QCOW2, capacity_bytes=GIB)
        spec = self._somebody_elses(HostType.KVM, DiskSpec(volume=volume, format=VolumeFormat.QCOW2))
        self.fleet.admin.make_foreign_domain(self.host.name, spec.id, name=name, found=spec)
        return self._difference("domain-without-guest", name)

    def found_container(self, *, user_namespace: bool = True) -> Difference:
        """Put a container of somebody else's on the host, whose root is a directory, and have it found."""
        name = self._name()
        spec = self._somebody_elses(HostType.LXC)
        self.fleet.admin.make_foreign_domain(
            self.host.name, spec.id, host_type=HostType.LXC, name=name, found=spec,
            root_directory=f"/srv/containers/{name}", user_namespace=user_namespace,
        )  # fmt: skip
        return self._difference("domain-without-guest", name)

    def found_here(self) -> Difference:
        """Do so with what can be taken over of this type."""
        return self.found_container() if self.host_type == HostType.LXC else self.found()

    def _somebody_elses(self, host_type: HostType, *disks: DiskSpec) -> DomainSpec:
        free = IPAddress.objects.filter(network__hosts=self.host, family=4, owner_id=None).order_by("-order")[0]
        mac = f"52:54:00:aa:00:{self._count:02x}"
        nic = NicSpec(mac=mac, bridge="ink0000", addresses=(AddressSpec(address=free.address, prefix=24),))
        return DomainSpec(
            id=uuid.uuid4(), name="", host_type=host_type, vcpus=1, memory_mib=256, disks=disks, nics=(nic,)
        )

    def _release(self) -> Job | None:
        volume = VolumeRef(self.pool.name, f"{self._name()}.raw")
        driver_of(self._connection()).volume_create(volume, format=VolumeFormat.RAW, capacity_bytes=MIB)
        row = self._difference("volume-without-owner", volume.name)
        return difference_release(actor=self.staff, difference=row, confirm=row.label).job

    def _copy(self) -> Job | None:
        image = self.fleet.image(slug=f"image-{self._name()}")
        return image_copy_wanted(actor=self.staff, host=self.host, image=image, host_type="kvm")

    def _build(self) -> Job | None:
        key = self._name()
        builder = Path(settings.CACHE_DIR) / "builder"
        if not builder.exists():
            builder.write_text(f"#!{sys.executable}\n{_BUILDER}")
        builder.chmod(0o755)
        self._monkeypatch.setattr(image_operations.sys, "executable", str(builder))
        self._monkeypatch.setattr(image_operations, "recipe_key", lambda slug: key)
        return image_build(actor=SYSTEM, slug="debian-12", recipe_key=key)[1]
