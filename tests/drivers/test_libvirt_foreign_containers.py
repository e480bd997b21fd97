"""Containers of somebody else's that were taken over, on a real host: limited as those that the panel makes."""

import shutil
import uuid
from collections.abc import Iterator

import libvirt
import pytest

from hosts.drivers.libvirt import LibvirtDriver
from hosts.drivers.types import AddressSpec, DomainSpec, HostType, NicSpec, PowerState
from tests.drivers.checks import assert_absent, wait_for_ready
from tests.drivers.conftest import remove_domain
from tests.drivers.real_host import BRIDGE, RealHost
from tests.drivers.test_libvirt_containers import FORK_BOMB, limits_of
from tests.foreign_container import busybox_root, container_xml

pytestmark = pytest.mark.lxc
# Slower than the host: only what it makes once it runs is kept from it.
SLOW_BOMB = FORK_BOMB.replace("|| break;", "|| break; $bb usleep 20000;")
NIC = NicSpec(
    mac="52:54:00:90:00:97", bridge=BRIDGE, addresses=(AddressSpec(address="10.90.0.97", prefix=24),)
)  # fmt: skip


@pytest.fixture(scope="module")
def driver(real_host: RealHost) -> Iterator[LibvirtDriver]:
    driver = real_host.driver(HostType.LXC)
    yield driver
    driver.close()


@pytest.fixture
def taken_over(driver: LibvirtDriver, real_host: RealHost) -> Iterator[DomainSpec]:
    """One that is off and forks without end, taken over with room for 60 processes."""
    folder = real_host.directory / "forks"
    busybox_root(folder, script=SLOW_BOMB, user_namespace=True)
    spec = DomainSpec(
        id=uuid.uuid4(), name="forks", host_type=HostType.LXC, vcpus=1, memory_mib=256, disks=(), nics=(NIC,),
        max_processes=60,
    )  # fmt: skip
    conn = libvirt.open(real_host.uri(HostType.LXC))
    conn.defineXML(
        container_xml(
            name="legacy_forks.01", uuid=spec.id, folder=folder, mac=NIC.mac, bridge=BRIDGE, user_namespace=True
        )
    )
    conn.close()
    driver.domain_take_over(spec)
    yield spec
    remove_domain(driver, spec.id)
    assert_absent(driver, spec.id)
    shutil.rmtree(folder)


def test_a_fork_bomb_stops_at_the_limit(driver: LibvirtDriver, real_host: RealHost, taken_over: DomainSpec):
    limits = limits_of(real_host, taken_over)
    for _ in range(2):
        driver.domain_start(taken_over.id)
        output = wait_for_ready(driver, taken_over.id, 30)
        assert b"forked all" not in output
        assert (limits / "pids.max").read_text() == "60\n"
        assert 50 < int((limits / "pids.current").read_text()) <= 60
        driver.domain_destroy(taken_over.id)
        assert driver.domain_info(taken_over.id).state is PowerState.SHUTOFF
        assert not limits.exists()
