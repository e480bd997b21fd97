"""Containers of somebody else's that were taken over, on a real host: limited as those that the panel makes."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from typing import Any

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
def made(real_host: RealHost, driver: LibvirtDriver) -> Iterator[Callable[..., DomainSpec]]:
    """Define one whose init is a script; it is off, and may be taken over as what is returned."""
    folder, identity = real_host.directory / "legacy-made", uuid.uuid4()

    def make(script: str, **changes: Any) -> DomainSpec:
        busybox_root(folder, script=script, user_namespace=True)
        xml = container_xml(
            name="legacy_made.01", uuid=identity, folder=folder, mac=NIC.mac, bridge=BRIDGE, user_namespace=True
        )
        conn = libvirt.open(real_host.uri(HostType.LXC))
        conn.defineXML(xml)
        conn.close()
        values = {"vcpus": 1, "memory_mib": 256, "disks": (), "nics": (NIC,), **changes}
        return DomainSpec(id=identity, name="made", host_type=HostType.LXC, **values)

    yield make
    remove_domain(driver, identity)
    assert_absent(driver, identity)
    shutil.rmtree(folder)


def test_a_fork_bomb_stops_at_the_limit(driver: LibvirtDriver, real_host: RealHost, made: Callable[..., DomainSpec]):
    spec = made(SLOW_BOMB, max_processes=60)
    driver.domain_take_over(spec)
    limits = limits_of(real_host, spec)
    for _ in range(2):
        driver.domain_start(spec.id)
        output = wait_for_ready(driver, spec.id, 30)
        assert b"forked all" not in output
        assert (limits / "pids.max").read_text() == "60\n"
        assert 50 < int((limits / "pids.current").read_text()) <= 60
        driver.domain_destroy(spec.id)
        assert driver.domain_info(spec.id).state is PowerState.SHUTOFF
        assert not limits.exists()


def test_letting_go_leaves_no_trace_of_a_take_over(
    driver: LibvirtDriver, real_host: RealHost, made: Callable[..., DomainSpec]
):
    spec = made("while :; do $bb sleep 1; done", max_processes=60)
    driver.domain_start(spec.id)
    conn = libvirt.open(real_host.uri(HostType.LXC))

    def texts() -> tuple[int, str, str]:
        domain = conn.lookupByUUID(spec.id.bytes)
        live = str(domain.XMLDesc()).replace("  <metadata/>\n", "")
        return domain.ID(), str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)), live

    before, configuration = texts(), driver.domain_configuration(spec.id)
    driver.domain_take_over(spec)
    assert "innkeeper" in texts()[1]
    driver.domain_let_go(spec.id, configuration=configuration)
    assert texts() == before
    assert list(driver.leftovers(spec.id)) == ["domain innkeeper-" + spec.id.hex[:12]]
    driver.domain_destroy(spec.id)  # the hook has nothing to do with it any more
    conn.close()
