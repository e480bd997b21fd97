"""The driver contract on real QEMU and real LXC."""

import gc
import os
import shutil
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import UUID

import libvirt
import pytest

from hosts.drivers.libvirt import LibvirtDriver
from hosts.drivers.types import (
    AddressSpec,
    DomainSpec,
    HostType,
    KernelSpec,
    NicSpec,
    PoolSpec,
    VolumeFormat,
    VolumeRef,
)
from panel.core.units import MIB
from tests.drivers.checks import MakeSpec, wait_until
from tests.drivers.contract import DriverContract
from tests.drivers.real_host import BRIDGE, RealHost
from tests.foreign_container import busybox_root, container_xml

LEGACY_XML = """
<domain type="qemu"><name>legacy_web.01</name><uuid>{uuid}</uuid><memory unit="MiB">256</memory><vcpu>1</vcpu>
  <os><type arch="x86_64">hvm</type></os><devices>
  <disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="{path}"/>
    <target dev="vda" bus="virtio"/></disk>
  <interface type="bridge"><mac address="{mac}"/><source bridge="{bridge}"/><model type="virtio"/></interface>
  <watchdog model="i6300esb" action="none"/>
</devices></domain>
"""


class RealContract(DriverContract):
    """The contract on one host for all tests of a type."""

    type: HostType
    foreign_xml: str

    @pytest.fixture
    def host_type(self) -> HostType:
        return self.type

    @pytest.fixture(scope="class")
    @classmethod
    def driver(cls, real_host: RealHost) -> Iterator[LibvirtDriver]:
        driver = real_host.driver(cls.type)
        driver.pool_ensure(real_host.pool)
        yield driver
        driver.close()

    @pytest.fixture
    def pool(self, real_host: RealHost) -> PoolSpec:
        return real_host.pool

    @pytest.fixture
    def small_pool(self, driver: LibvirtDriver, real_host: RealHost) -> PoolSpec:
        driver.pool_ensure(real_host.small_pool)
        return real_host.small_pool

    @pytest.fixture
    def spare_pool(self, real_host: RealHost) -> PoolSpec:
        return PoolSpec(name="spare", path=str(real_host.directory / "spare"))

    @pytest.fixture
    def new_driver(self, real_host: RealHost) -> Callable[[], LibvirtDriver]:
        return lambda: real_host.driver(self.type)

    @pytest.fixture
    def unreachable_driver(self, real_host: RealHost) -> LibvirtDriver:
        return LibvirtDriver(self.type, real_host.uri(self.type) + ".absent")

    @pytest.fixture
    def outage(self, real_host: RealHost) -> Callable[[], AbstractContextManager[None]]:
        @contextmanager
        def without_libvirtd() -> Iterator[None]:
            real_host.libvirtd.stop(guests=False)
            try:
                yield
            finally:
                real_host.libvirtd.start()

        return without_libvirtd

    @pytest.fixture
    def bandwidth_nic(self) -> NicSpec:
        address = AddressSpec(address="10.90.0.99", prefix=24)
        return NicSpec(mac="52:54:00:90:00:99", bridge=BRIDGE, addresses=(address,), bandwidth_mbit_per_s=10)

    @pytest.fixture
    def guarded_nic(self) -> NicSpec:
        address = AddressSpec(address="10.90.0.98", prefix=24)
        return NicSpec(mac="52:54:00:90:00:98", bridge=BRIDGE, addresses=(address,))

    @pytest.fixture
    def lose_rules(self, real_host: RealHost) -> Callable[[UUID], None]:
        def flush(_domain: UUID) -> None:
            real_host.inside("nft", "flush", "ruleset")

        return flush

    @pytest.fixture
    def half_made(self, driver: LibvirtDriver) -> Callable[[VolumeRef], None]:
        def leave(volume: VolumeRef) -> None:
            driver.volume_create(volume, format=VolumeFormat.RAW, capacity_bytes=MIB)
            mark = VolumeRef(volume.pool, f"{volume.name}.partial")
            driver.volume_create(mark, format=VolumeFormat.RAW, capacity_bytes=0)

        return leave

    @pytest.fixture
    def foreign_domain(self, real_host: RealHost) -> Iterator[UUID]:
        conn = libvirt.open(real_host.uri(self.type))
        domain = conn.defineXML(self.foreign_xml)
        yield UUID(bytes=domain.UUID())
        domain.undefine()
        conn.close()


@pytest.mark.kvm
class TestKvm(RealContract):
    """QEMU, with hardware virtualization where there is any."""

    type = HostType.KVM
    foreign_xml = (
        "<domain type='qemu'><name>somebody-elses</name><memory>65536</memory>"
        "<os><type arch='x86_64'>hvm</type></os></domain>"
    )

    @pytest.fixture
    def foreign_running(self, real_host: RealHost, make_spec: MakeSpec) -> Callable[[NicSpec], DomainSpec]:
        def start(nic: NicSpec) -> DomainSpec:
            spec = make_spec(nics=(nic,), seed=None, kernel=None)
            (disk,) = spec.disks
            path = f"{real_host.pool.path}/{disk.volume.name}"
            conn = libvirt.open(real_host.uri(self.type))
            conn.defineXML(LEGACY_XML.format(uuid=spec.id, path=path, mac=nic.mac, bridge=nic.bridge)).create()
            conn.close()
            return spec

        return start

    @pytest.fixture(scope="class")
    @classmethod
    def root_image(cls, driver: LibvirtDriver, real_host: RealHost) -> VolumeRef:
        return real_host.image(driver, "kvm_disk")

    @pytest.fixture(scope="class")
    @classmethod
    def kernel(cls, driver: LibvirtDriver, real_host: RealHost) -> KernelSpec:
        return real_host.kernel(driver)


@pytest.mark.lxc
class TestLxc(RealContract):
    """Containers."""

    type = HostType.LXC
    foreign_xml = (
        "<domain type='lxc'><name>somebody-elses</name><memory>65536</memory><os><type>exe</type>"
        "<init>/bin/true</init></os><devices><console type='pty'/></devices></domain>"
    )

    @pytest.fixture
    def foreign_container(self, real_host: RealHost, make_spec: MakeSpec) -> Iterator[Callable[..., DomainSpec]]:
        folder = real_host.directory / "legacy"

        def start(nic: NicSpec, *, user_namespace: bool = True) -> DomainSpec:
            spec = make_spec(nics=(nic,), seed=None)
            busybox_root(folder, script="while :; do $bb sleep 1; done", user_namespace=user_namespace)
            xml = container_xml(
                name="legacy_ns.01", uuid=spec.id, folder=folder, mac=nic.mac, bridge=nic.bridge,
                user_namespace=user_namespace,
            )  # fmt: skip
            conn = libvirt.open(real_host.uri(self.type))
            conn.defineXML(xml).create()
            conn.close()
            return spec

        yield start
        assert (folder / "rootfs" / "init").exists()
        shutil.rmtree(folder)

    @pytest.fixture
    def foreign_running(self, foreign_container: Callable[..., DomainSpec]) -> Callable[..., DomainSpec]:
        return foreign_container

    @pytest.fixture(scope="class")
    @classmethod
    def root_image(cls, driver: LibvirtDriver, real_host: RealHost) -> VolumeRef:
        return real_host.image(driver, "lxc_root")


def test_a_driver_may_be_made_before_a_fork(real_host: RealHost):
    """As a Celery worker does: made in the parent, used in the child."""
    driver = real_host.driver(HostType.KVM)
    assert in_a_child(lambda: (driver.facts(), driver.domain_list()))
    assert driver.facts().hostname
    assert uuid.UUID(int=0) not in {info.id for info in driver.domain_list()}
    driver.close()


def test_a_child_leaves_its_parents_connection_alone(real_host: RealHost):
    told: list[UUID | None] = []
    driver = real_host.driver(HostType.KVM)
    driver.listen(told.append)

    def use() -> None:
        driver.facts()
        driver.close()

    assert in_a_child(use)
    assert driver.facts().hostname
    assert told == []  # it is the connection of before
    driver.close()


def test_nothing_is_kept_of_a_driver_that_listened(real_host: RealHost):
    told: list[UUID | None] = []
    driver = real_host.driver(HostType.KVM)
    driver.listen(told.append)
    session = driver._connection._session
    assert session is not None
    conn = weakref.ref(session.conn)
    del session

    driver.close()

    wait_until(lambda: gc.collect() >= 0 and conn() is None, timeout_s=5)
    assert told[0] is None


def in_a_child(call: Callable[[], object]) -> bool:
    """Return whether a call returns, rather than raises, in a process forked from this one."""
    child = os.fork()
    if child == 0:
        ended = 1
        try:
            call()
            ended = 0
        finally:
            os._exit(ended)
    return os.waitpid(child, 0)[1] == 0
