"""Fixtures of a simulated host, which can do everything."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.simulated import FaultKind, SimulatedAdmin, SimulatedDriver, SimulatedServer
from hosts.drivers.simulated.driver import make_uri
from hosts.drivers.types import AddressSpec, DomainSpec, HostType, NicSpec, PoolSpec, VolumeFormat, VolumeRef
from panel.core.errors import DriverError
from panel.core.units import MIB
from tests.drivers.checks import MakeSpec, qcow2_file


@pytest.fixture
def driver(server: SimulatedServer, host: str) -> Iterator[SimulatedDriver]:
    driver = server.driver(host)
    yield driver
    driver.close()


@pytest.fixture
def host_type() -> HostType:
    return HostType.KVM


@pytest.fixture
def root_image(driver: SimulatedDriver, pool: PoolSpec, tmp_path: Path) -> VolumeRef:
    image = VolumeRef(pool.name, "image")
    driver.volume_upload(image, source=qcow2_file(tmp_path, 64 * MIB), format=VolumeFormat.QCOW2)
    return image


@pytest.fixture
def bandwidth_nic() -> NicSpec:
    return NicSpec(mac="52:54:00:00:00:01", bridge="br0", addresses=(), bandwidth_mbit_per_s=100)


@pytest.fixture
def guarded_nic() -> NicSpec:
    return NicSpec(mac="52:54:00:00:00:02", bridge="br0", addresses=(AddressSpec(address="192.0.2.2", prefix=24),))


@pytest.fixture
def lose_rules(admin: SimulatedAdmin, host: str) -> Callable[[UUID], None]:
    return lambda domain: admin.drop_rules(host, domain)


@pytest.fixture
def foreign_running(
    admin: SimulatedAdmin, host: str, make_spec: MakeSpec, foreign_container: Callable[..., DomainSpec] | None
) -> Callable[[NicSpec], DomainSpec]:
    def start(nic: NicSpec) -> DomainSpec:
        spec = make_spec(nics=(nic,), seed=None)
        made = replace(spec, nics=(replace(nic, addresses=(), anti_spoofing=False),))
        admin.make_foreign_domain(host, spec.id, host_type=spec.host_type, name="legacy", found=made)
        return spec

    return foreign_container or start


@pytest.fixture
def foreign_container(
    admin: SimulatedAdmin, host: str, host_type: HostType, make_spec: MakeSpec
) -> Callable[..., DomainSpec] | None:
    def start(nic: NicSpec, *, user_namespace: bool = True) -> DomainSpec:
        spec = make_spec(nics=(nic,), seed=None, disks=())
        made = replace(spec, nics=(replace(nic, addresses=(), anti_spoofing=False),))
        admin.make_foreign_domain(
            host, spec.id, host_type=spec.host_type, name="legacy", found=made,
            root_directory="/srv/legacy/rootfs", user_namespace=user_namespace,
        )  # fmt: skip
        return spec

    return start if host_type is HostType.LXC else None


@pytest.fixture
def small_pool(driver: HypervisorDriver, admin: SimulatedAdmin, host: str) -> PoolSpec:
    admin.set_pool_capacity(host, "small", 16 * MIB)
    pool = PoolSpec(name="small", path="/simulated/small")
    driver.pool_ensure(pool)
    return pool


@pytest.fixture
def spare_pool() -> PoolSpec:
    return PoolSpec(name="spare", path="/simulated/spare")


@pytest.fixture
def half_made(driver: HypervisorDriver, admin: SimulatedAdmin, host: str) -> Callable[[VolumeRef], None]:
    def leave(volume: VolumeRef) -> None:
        admin.set_fault(host, "volume_create", FaultKind.HALF_DONE)
        with pytest.raises(DriverError):
            driver.volume_create(volume, format=VolumeFormat.RAW, capacity_bytes=MIB)
        assert volume.name in admin.dump_host(host).directories["/simulated/pool"].volumes

    return leave


@pytest.fixture
def foreign_domain(driver: HypervisorDriver, admin: SimulatedAdmin, host: str) -> UUID:
    domain = uuid.uuid4()
    admin.make_foreign_domain(host, domain, host_type=driver.host_type)
    return domain


@pytest.fixture
def outage(admin: SimulatedAdmin, host: str) -> Callable[[], AbstractContextManager[None]]:
    @contextmanager
    def during() -> Iterator[None]:
        admin.set_reachable(host, False)
        yield
        admin.set_reachable(host, True)

    return during


@pytest.fixture
def unreachable_driver(tmp_path: Path) -> SimulatedDriver:
    return SimulatedDriver(HostType.KVM, make_uri("h1", tmp_path / "nobody.sock"))
