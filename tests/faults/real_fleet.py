"""A real host known to the panel's tables, what is really on it, and deeds to be asked of it."""

import shutil
import time
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import libvirt
import pytest
from django.conf import settings
from django.db import transaction

from hosts import registry
from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import HostType, VolumeFormat, VolumeRef
from hosts.models import Host, Image, IPAddress
from hosts.services.enrolment import host_enrol
from hosts.services.images import image_copy_wanted, image_record
from hosts.services.networks import network_create
from hosts.states import ImageState
from panel.core.actors import SYSTEM
from panel.core.errors import DriverError, HostTimeoutError, HostUnreachableError
from panel.core.models import Customer, Job
from panel.core.units import GIB
from tests.drivers.real_host import BRIDGE, GATEWAY_V4, GATEWAY_V6, RealHost
from tests.faults.deeds import Deeds
from tests.foreign_container import busybox_root, container_xml
from tests.simulated_fleet import HostSight, jobs_run
from vms.models import Guest
from vms.services.access import guest_reset_root_password
from vms.services.adoption import AdoptRequest, guest_adopt
from vms.services.adoption_nics import NicRequest
from vms.services.guests import guest_delete
from vms.states import GuestAction

_SOMEBODY_ELSES = """
<domain type='qemu'><name>{name}</name><memory unit='MiB'>256</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{file}'/>
      <target dev='vda' bus='virtio'/></disk>
    <interface type='bridge'><mac address='{mac}'/><source bridge='{bridge}'/><model type='virtio'/></interface>
  </devices>
</domain>
"""
TYPES = (HostType.KVM, HostType.LXC)
BOOT_TIMEOUT_S = 90


class RealFleet:
    """One real host with a network and the micro image, enrolled as an administrator would."""

    def __init__(self, real: RealHost, monkeypatch: pytest.MonkeyPatch) -> None:
        self.real = real
        monkeypatch.setattr(settings, "CACHE_DIR", real.images.parent)
        uris = {str(kind): real.uri(kind) for kind in TYPES}
        self.host, _ = host_enrol(actor=SYSTEM, name=real.name, uris=uris, pool_path=real.pool.path)
        network_create(
            actor=SYSTEM,
            name="guests",
            kind="nat",
            bridge=BRIDGE,
            cidr_v4=str(ip_network(f"{GATEWAY_V4}/24", strict=False)),
            gateway_v4=GATEWAY_V4,
            cidr_v6=str(ip_network(f"{GATEWAY_V6}/64", strict=False)),
            gateway_v6=GATEWAY_V6,
            dns_servers=[],
            hosts=[self.host],
        )
        self.image("micro")
        assert {job.status for job in jobs_run()} == {"success"}  # the host is looked at, the image copied to it

    @property
    def containers(self) -> Path:
        """Where somebody without the panel has the directories of containers."""
        folder = self.real.directory / "containers"
        folder.mkdir(mode=0o711, exist_ok=True)
        return folder

    def image(self, slug: str) -> Image:
        """Record the micro image under a name; hosts have it copied to them."""
        image = Image.objects.create(slug=slug, name=slug, state=ImageState.BUILDING)
        with transaction.atomic():
            return image_record(image=image, manifest=self.real.manifest, folder=self.real.images.name, recipe_key=slug)

    def driver(self, host_type: str) -> HypervisorDriver:
        return registry.driver_for(self.host.pk, host_type)

    def seen(self, host: Host) -> HostSight:
        """Return what the host really has."""
        pool = host.pools.get(for_new_guests=True)
        infos = {info.id: info for kind in TYPES for info in self.driver(kind).domain_list() if info.ours}
        gone = Guest.objects.exclude(pk__in=infos)
        return HostSight(
            domains={pk: (str(info.state), None) for pk, info in infos.items()},
            volumes={volume.ref.name for volume in self.driver("kvm").volume_list(pool.name)},
            remains=[left for guest in gone for left in self.driver(guest.host_type).leftovers(guest.pk)],
        )

    def clear(self) -> None:
        """Take everything off the host again, for the next test, whose panel knows nothing of this one."""
        pool = self.host.pools.get(for_new_guests=True)
        for guest in Guest.objects.exclude(lifecycle="deleted"):
            driver = self.driver(guest.host_type)
            for info in driver.domain_list():
                if info.id == guest.pk:
                    driver.domain_destroy(guest.pk)
            driver.domain_undefine(guest.pk)
        self.driver("kvm").pool_remove(pool.name)
        for file in Path(pool.path).iterdir():
            if file.is_file():
                file.unlink()
        for folder in self.containers.iterdir():
            shutil.rmtree(folder)


class RealDeeds(Deeds):
    """Asks for actions on a real host. What reacts to being asked must have booted before."""

    def __init__(self, fleet: RealFleet, customer: Customer, monkeypatch: pytest.MonkeyPatch, host_type: str) -> None:
        super().__init__(fleet, fleet.host, customer, monkeypatch)  # type: ignore[arg-type]  # no images are made
        self.host_type = host_type
        self.real, self._boots = fleet, False
        self._own[GuestAction.ADOPT] = self._adopt

    def ask(self, action: str) -> Any:
        self._boots = action in ("guest.shutdown", "guest.reboot", "guest.suspend", "guest.unsuspend")
        return super().ask(action)

    def _running(self, **fields: Any) -> Guest:
        guest = super()._running(**fields)
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while self._boots and b"INNKEEPER-READY" not in self.real.driver(self.host_type).console_output(guest.pk):
            assert time.monotonic() < deadline, "it does not boot"
            time.sleep(0.2)
        return guest

    def _copy(self) -> Job | None:
        image = self.real.image(f"image-{self._name()}")
        return image_copy_wanted(actor=self.staff, host=self.host, image=image, host_type=self.host_type)

    def _adopt(self) -> Job:
        """Define a domain as somebody without the panel does, have it found, and take it over."""
        name = self._name()
        mac = f"52:54:00:aa:00:{self._count:02x}"
        conn = libvirt.open(self.real.real.uri(HostType(self.host_type)))
        if self.host_type == HostType.LXC:
            conn.defineXML(self._container(name, mac)).create()
        else:
            conn.defineXML(self._machine(name, mac))
        conn.close()
        return self.take(name, mac)

    def take(self, name: str, mac: str) -> Job:
        """Have a domain found by its name and ask for taking it over."""
        free = IPAddress.objects.filter(network__hosts=self.host, family=4, owner_id=None).order_by("-order")[0]
        nic = NicRequest(mac=mac, network=free.network, addresses=(free.address,))
        request = AdoptRequest(customer=self.customer, nics=(nic,))
        difference = self._difference("domain-without-guest", name)
        return guest_adopt(actor=self.staff, difference=difference, request=request)[1]

    def _machine(self, name: str, mac: str) -> str:
        volume = VolumeRef(self.pool.name, f"{name}.qcow2")
        self.real.driver("kvm").volume_create(volume, format=VolumeFormat.QCOW2, capacity_bytes=GIB)
        return _SOMEBODY_ELSES.format(name=name, file=Path(self.pool.path, volume.name), mac=mac, bridge=BRIDGE)

    def _container(self, name: str, mac: str) -> str:
        folder = self.real.containers / name
        busybox_root(folder, script="while :; do $bb sleep 1; done", user_namespace=True)
        return container_xml(name=name, uuid=uuid4(), folder=folder, mac=mac, bridge=BRIDGE, user_namespace=True)

    def spoil(self, guest: Guest) -> None:
        """Nothing here: what a repair does to a guest that needs none is the same calls."""

    def on(self) -> Guest:
        """Return a guest that runs."""
        return self._running()

    def off(self) -> Guest:
        """Return a guest that is off."""
        return self._off()

    def password_reset(self, guest: Guest) -> Job:
        """Ask for a new root password."""
        return guest_reset_root_password(actor=self.staff, guest=guest, root_password=None)[0]

    def away(self) -> None:
        """Delete all guests, so that the next one has room and time."""
        for guest in Guest.objects.exclude(lifecycle="deleted"):
            guest.suspensions.all().delete()  # what is suspended is not deleted
            guest_delete(actor=self.staff, guest=guest)
        assert {job.status for job in jobs_run()} <= {"success"}


WRONGS: dict[str, tuple[bool, Callable[[], DriverError]]] = {  # whether the call works all the same, what is said
    "worked, then no answer": (True, HostTimeoutError),
    "worked, then cut off": (True, HostUnreachableError),
    "failed": (False, DriverError),
}


class Saboteur:
    """Stands between the panel and its drivers, notes every call, and has one of them go wrong, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, int]] = []
        self._count: Counter[str] = Counter()
        self._target: tuple[tuple[str, int], str] | None = None
        real = registry.driver_for
        monkeypatch.setattr(registry, "driver_for", lambda *args: _Sabotaged(real(*args), self))

    def plan(self, call: tuple[str, int] | None = None, wrong: str = "") -> None:
        """From now on calls are counted anew, and ``call`` (a name and its number) goes wrong."""
        self.calls, self._count = [], Counter()
        self._target = (call, wrong) if call else None

    def carry_out(self, name: str, call: Callable[[], Any]) -> Any:
        self._count[name] += 1
        this = (name, self._count[name])
        self.calls.append(this)
        if self._target is None or self._target[0] != this:
            return call()
        works, error = WRONGS[self._target[1]]
        if works:
            call()
        raise error()


class _Sabotaged:
    def __init__(self, driver: HypervisorDriver, saboteur: Saboteur) -> None:
        self._driver, self._saboteur = driver, saboteur

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._driver, name)
        return lambda *args, **kwargs: self._saboteur.carry_out(name, lambda: method(*args, **kwargs))
