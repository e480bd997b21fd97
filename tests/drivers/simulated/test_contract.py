"""The driver contract on simulated hosts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts.drivers.simulated import SimulatedAdmin, SimulatedDriver, SimulatedServer
from hosts.drivers.types import Capability, HostType, PoolSpec, VolumeFormat, VolumeRef
from panel.core.units import MIB
from tests.drivers.checks import NewDriver, qcow2_file, sparse_file
from tests.drivers.contract import DriverContract


class SimulatedContract(DriverContract):
    """The contract on one simulated host for each test."""

    type = HostType.KVM
    missing: dict[Capability, str] = {}

    @pytest.fixture
    def host_type(self) -> HostType:
        return self.type

    @pytest.fixture
    def driver(self, server: SimulatedServer, admin: SimulatedAdmin, host: str) -> Iterator[SimulatedDriver]:
        admin.make_host(host, missing=self.missing)
        driver = server.driver(host, self.type)
        yield driver
        driver.close()

    @pytest.fixture
    def new_driver(self, server: SimulatedServer, host: str) -> NewDriver:
        return lambda: server.driver(host, self.type)

    @pytest.fixture
    def root_image(self, driver: SimulatedDriver, pool: PoolSpec, tmp_path: Path) -> VolumeRef:
        image = VolumeRef(pool.name, "image")
        raw = self.type is HostType.LXC
        driver.volume_upload(
            image,
            source=sparse_file(tmp_path, 64 * MIB) if raw else qcow2_file(tmp_path, 64 * MIB),
            format=VolumeFormat.RAW if raw else VolumeFormat.QCOW2,
        )
        return image


class TestKvm(SimulatedContract):
    """A host that can do everything."""


class TestXen(SimulatedContract):
    """A Xen host."""

    type = HostType.XEN


class TestLxc(SimulatedContract):
    """A host of containers."""

    type = HostType.LXC


class TestPoorKvm(SimulatedContract):
    """A host without hardware virtualization, bandwidth shaping and pause."""

    missing = {
        Capability.ACCELERATION: "The processor has no hardware virtualization.",
        Capability.BANDWIDTH: "The kernel has no sch_sfq.",
        Capability.PAUSE: "Not built in.",
    }
