"""Fixtures of the driver contract that have a default. A module about real hosts overrides what it must.

Without a default, to be given by every module or class that runs the contract: ``driver``, ``host_type`` and
``root_image`` (a bootable image, uploaded through the driver); on a real host also ``pool`` (made already).
"""

import tempfile
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.seed import SeedRequest, seed_files
from hosts.drivers.simulated import SimulatedAdmin, SimulatedServer
from hosts.drivers.types import (
    DiskSpec,
    DomainSpec,
    HostType,
    KernelSpec,
    NicSpec,
    PoolSpec,
    PowerState,
    SeedFiles,
    VolumeFormat,
    VolumeRef,
)
from panel.core.errors import DomainNotFoundError

MODULES = ("checks", "contract", "contract_adoption", "contract_domains", "contract_storage")

pytest.register_assert_rewrite(*(f"tests.drivers.{name}" for name in MODULES))


@pytest.fixture(scope="session")
def socket_folder() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets, which pytest's own need not be."""
    with tempfile.TemporaryDirectory(prefix="ik-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def server(socket_folder: Path) -> Iterator[SimulatedServer]:
    """A simulated server; give each test a ``host`` of its own."""
    with SimulatedServer(socket_folder / "simulated.sock") as server:
        yield server


@pytest.fixture
def host(admin: SimulatedAdmin) -> Iterator[str]:
    """The name of a simulated host nobody else uses."""
    name = f"host-{uuid.uuid4().hex[:8]}"
    yield name
    admin.delete_host(name)


@pytest.fixture
def admin(server: SimulatedServer) -> Iterator[SimulatedAdmin]:
    """What tests may do to the server's hosts."""
    admin = server.admin()
    yield admin
    admin.close()


@pytest.fixture
def pool(driver: HypervisorDriver) -> PoolSpec:
    """A pool that is made already; a real host's module says where."""
    pool = PoolSpec(name="pool", path="/simulated/pool")
    driver.pool_ensure(pool)
    return pool


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """Run calls in threads of their own; all must have ended by the end of the test."""
    with ThreadPoolExecutor(16) as threads:
        yield threads.submit


@pytest.fixture
def kernel() -> KernelSpec | None:
    """Kernel and initrd of ``root_image``; None when it boots by itself."""
    return None


@pytest.fixture
def boots() -> bool:
    """True when a started guest has an operating system that prints, restarts and shuts down."""
    return True


@pytest.fixture
def boot_timeout_s() -> float:
    """How long a guest may take to print INNKEEPER-READY."""
    return 180.0


@pytest.fixture
def shutdown_timeout_s() -> float:
    """How long a guest that is up may take to power off or restart."""
    return 90.0


@pytest.fixture
def nics() -> tuple[NicSpec, ...]:
    """The nics of a test's domain. The tests need no network."""
    return ()


@pytest.fixture
def bandwidth_nic() -> NicSpec | None:
    """A nic with limited bandwidth on a bridge that exists; None: do not test it."""
    return None


@pytest.fixture
def guarded_nic() -> NicSpec | None:
    """A nic with an address, guarded against spoofing, on a bridge that exists; None: do not test it."""
    return None


@pytest.fixture
def lose_rules() -> Callable[[UUID], None] | None:
    """Take a running domain's rules against spoofing away behind the driver's back; None: cannot be done."""
    return None


@pytest.fixture
def foreign_running() -> Callable[[NicSpec], DomainSpec] | None:
    """Start a domain that the panel did not make, with this nic; return what it is to become. None: cannot be done."""
    return None


@pytest.fixture
def foreign_container() -> Callable[..., DomainSpec] | None:
    """Start a container of somebody else's on a directory of the host: with this nic, and ``user_namespace`` or not.

    Returns what it is to become. None: the host has no containers.
    """
    return None


@pytest.fixture
def small_pool() -> PoolSpec | None:
    """A pool, made already, with 8 to 24 MiB of room; None: the host has none."""
    return None


@pytest.fixture
def spare_pool() -> PoolSpec | None:
    """A pool that is not made yet, on a directory of its own; None: do not test it."""
    return None


@pytest.fixture
def half_made() -> Callable[[VolumeRef], None] | None:
    """Leave on the host what a copy to this name leaves when it is interrupted; None: cannot be done."""
    return None


@pytest.fixture
def foreign_domain() -> UUID | None:
    """The id of a domain that the panel did not make; None: cannot be done."""
    return None


@pytest.fixture
def new_driver() -> Callable[[], HypervisorDriver] | None:
    """Make another driver for the same host, which the test closes."""
    return None


@pytest.fixture
def unreachable_driver() -> HypervisorDriver | None:
    """A driver for a host that is not there."""
    return None


@pytest.fixture
def outage() -> Callable[[], AbstractContextManager[None]] | None:
    """Make the host unreachable for the time of a block, its guests running on; None: cannot be done."""
    return None


@pytest.fixture
def seed() -> SeedFiles:
    """A seed that every image can boot with."""
    return seed_files(SeedRequest(hostname="contract", instance_id="contract-1"))


@pytest.fixture
def new_volume(driver: HypervisorDriver, pool: PoolSpec) -> Iterator[Callable[[], VolumeRef]]:
    """Return fresh volume names; what is made of them is deleted afterwards."""
    given: list[VolumeRef] = []

    def name() -> VolumeRef:
        given.append(VolumeRef(pool.name, f"contract-{uuid.uuid4().hex[:12]}"))
        return given[-1]

    yield name
    for volume in given:
        driver.volume_delete(volume)


@pytest.fixture
def make_spec(
    driver: HypervisorDriver,
    new_volume: Callable[[], VolumeRef],
    root_image: VolumeRef,
    host_type: HostType,
    kernel: KernelSpec | None,
    nics: tuple[NicSpec, ...],
    seed: SeedFiles,
) -> Iterator[Callable[..., DomainSpec]]:
    """Make specs of small domains with a root disk and a seed of their own; remove all of it afterwards."""
    image = driver.volume_info(root_image)
    emulated = driver.facts().emulated
    made: list[UUID] = []

    def make(**changes: Any) -> DomainSpec:
        root, seed_volume = new_volume(), new_volume()
        if image.format is VolumeFormat.QCOW2:
            driver.volume_create(
                root,
                format=VolumeFormat.QCOW2,
                capacity_bytes=image.capacity_bytes,
                backing=root_image,
                backing_format=image.format,
            )
        else:
            driver.volume_clone(root, source=root_image, capacity_bytes=image.capacity_bytes)
        driver.seed_write(seed_volume, seed)
        values: dict[str, Any] = {
            "id": uuid.uuid4(),
            "name": "contract",
            "host_type": host_type,
            "vcpus": 1,
            "memory_mib": 256,
            "disks": (DiskSpec(volume=root, format=image.format),),
            "nics": nics,
            "seed": seed_volume,
            "kernel": kernel,
            "emulated": emulated,
            "owner": "5d1f2a7c-6f43-4c8e-9b7e-0c2d6d3c8f10",
            "labels": {"purpose": "contract"},
        }
        spec = DomainSpec(**{**values, **changes})
        made.append(spec.id)
        return spec

    yield make
    for domain in made:
        remove_domain(driver, domain)


def remove_domain(driver: HypervisorDriver, domain: UUID) -> None:
    """Take a domain away in whatever state it is."""
    try:
        if driver.domain_info(domain).state is not PowerState.SHUTOFF:
            driver.domain_destroy(domain)
    except DomainNotFoundError:
        return
    driver.domain_undefine(domain)
