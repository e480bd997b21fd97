"""What the contract's tests ask and make, beside a driver."""

import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import Capability, DomainInfo, DomainSpec, DomainUsage, VolumeFormat, VolumeRef
from panel.core.errors import DomainNotFoundError, HostUnreachableError

QCOW2, RAW = VolumeFormat.QCOW2, VolumeFormat.RAW
VOLUME = VolumeRef("pool", "volume")  # of the fixture ``pool``
NewVolume = Callable[[], VolumeRef]
MakeSpec = Callable[..., DomainSpec]
NewDriver = Callable[[], HypervisorDriver]
InThread = Callable[[Callable[[], Any]], Future[Any]]
Value = TypeVar("Value")


def given(value: Value | None, name: str) -> Value:
    """Return an optional fixture's value, or skip the test where the host has none; ``name`` is the fixture's."""
    if value is None:
        pytest.skip(f"this host has no fixture {name}")
    return value


def can(driver: HypervisorDriver, capability: Capability) -> bool:
    """True when the host says it can."""
    return next(state.available for state in driver.facts().capabilities if state.capability is capability)


def listed(driver: HypervisorDriver, domain: UUID) -> list[DomainInfo]:
    """Return a domain's entries in the listing: one or none."""
    return [info for info in driver.domain_list() if info.id == domain]


def usage_of(driver: HypervisorDriver, domain: UUID) -> DomainUsage:
    """Return what a domain that is on has used."""
    (info,) = listed(driver, domain)
    assert info.usage is not None
    return info.usage


def assert_absent(driver: HypervisorDriver, domain: UUID) -> None:
    """Assert that the host has nothing of a domain id, volumes aside."""
    with pytest.raises(DomainNotFoundError):
        driver.domain_info(domain)
    assert listed(driver, domain) == []
    assert list(driver.leftovers(domain)) == []


def wait_for_ready(driver: HypervisorDriver, domain: UUID, timeout_s: float) -> bytes:
    """Return the console output once its newest boot has come to INNKEEPER-READY."""
    deadline = time.monotonic() + timeout_s
    while True:
        output = driver.console_output(domain)
        if b"INNKEEPER-READY" in output:
            return output
        assert time.monotonic() < deadline, output[-2000:]
        time.sleep(0.25)


def answers(driver: HypervisorDriver) -> bool:
    """True when the host can be reached."""
    try:
        driver.load()
    except HostUnreachableError:
        return False
    return True


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    """Wait for something that another process or thread does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call took."""
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def host_keys(output: bytes) -> list[bytes]:
    """Return the host key lines a guest printed."""
    return [line.strip() for line in output.splitlines() if line.startswith(b"INNKEEPER-HOSTKEY ")]


def data_file(folder: Path, size_bytes: int) -> Path:
    """Make a file without holes."""
    path = folder / f"data-{size_bytes}.raw"
    path.write_bytes(os.urandom(size_bytes))
    return path


def sparse_file(folder: Path, size_bytes: int) -> Path:
    """Make a file with a little data at the start and a hole after it."""
    path = folder / f"sparse-{size_bytes}.raw"
    with path.open("wb") as file:
        file.write(os.urandom(64 * 1024))
        file.truncate(size_bytes)
    return path


def qcow2_file(folder: Path, capacity_bytes: int) -> Path:
    """Make a file with the header of a qcow2 image, which is all the driver reads of one."""
    path = folder / "image.qcow2"
    path.write_bytes(b"QFI\xfb" + bytes([0, 0, 0, 3]) + bytes(16) + capacity_bytes.to_bytes(8, "big") + bytes(65536))
    return path


def started(driver: HypervisorDriver, spec: DomainSpec) -> UUID:
    """Define and start a domain."""
    driver.domain_define(spec)
    driver.domain_start(spec.id)
    return spec.id
