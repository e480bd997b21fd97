"""What only full machines do: a full host pauses them, and their console and graphics are where they should be."""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hosts.drivers.libvirt import LibvirtDriver
from hosts.drivers.types import (
    DiskSpec,
    DomainInfo,
    DomainSpec,
    HostType,
    KernelSpec,
    PowerState,
    VolumeFormat,
    VolumeRef,
)
from panel.core.units import MIB
from tests.drivers.checks import listed, wait_for_ready, wait_until
from tests.drivers.conftest import remove_domain
from tests.drivers.real_host import RealHost
from tests.drivers.spoofing_guest import initrd

pytestmark = pytest.mark.kvm

WRITER = """\
#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do $bb insmod $module 2>/dev/null; done
echo INNKEEPER-READY
$bb dd if=/dev/zero of=/dev/vda bs=64k oflag=direct
$bb sync
echo WRITTEN
while :; do $bb sleep 1; done
"""


@pytest.fixture
def driver(real_host: RealHost) -> Iterator[LibvirtDriver]:
    driver = real_host.driver(HostType.KVM)
    for pool in (real_host.pool, real_host.small_pool):
        driver.pool_ensure(pool)
    yield driver
    driver.close()


@pytest.fixture
def writer(driver: LibvirtDriver, real_host: RealHost, tmp_path: Path) -> Iterator[DomainSpec]:
    """A guest that fills its disk, which is larger than the room its host has."""
    image = VolumeRef(real_host.pool.name, "writer-initrd")
    base = real_host.images / real_host.manifest["files"]["initrd"]["file"]
    driver.volume_upload(image, source=initrd(tmp_path, base, WRITER), format=VolumeFormat.RAW)
    disk = VolumeRef(real_host.small_pool.name, "writer")
    driver.volume_create(disk, format=VolumeFormat.RAW, capacity_bytes=64 * MIB)
    spec = DomainSpec(
        id=uuid.uuid4(),
        name="writer",
        host_type=HostType.KVM,
        vcpus=1,
        memory_mib=128,
        disks=(DiskSpec(volume=disk, format=VolumeFormat.RAW),),
        nics=(),
        kernel=KernelSpec(kernel=real_host.kernel(driver).kernel, initrd=image, arguments="console=ttyS0 quiet"),
        emulated=driver.facts().emulated,
    )
    driver.domain_define(spec)
    yield spec
    remove_domain(driver, spec.id)
    for volume in (disk, image):
        driver.volume_delete(volume)


def wait_for(ask: Callable[[], DomainInfo], state: PowerState) -> DomainInfo:
    deadline = time.monotonic() + 90
    while (info := ask()).state is not state and time.monotonic() < deadline:
        time.sleep(0.2)
    return info


def test_a_guest_whose_host_is_full_pauses_says_so_and_goes_on(driver, writer, real_host):
    driver.domain_start(writer.id)

    info = wait_for(lambda: driver.domain_info(writer.id), PowerState.PAUSED)

    assert (info.state, info.state_reason) == (PowerState.PAUSED, "disk_full")
    assert [one.state_reason for one in listed(driver, writer.id)] == ["disk_full"]
    assert b"WRITTEN" not in driver.console_output(writer.id)

    # Room alone does not let it go on; resumed, it writes what it could not.
    subprocess.run(["mount", "-o", "remount,size=96m", real_host.small_pool.path], check=True)
    try:
        assert driver.domain_info(writer.id).state is PowerState.PAUSED
        driver.domain_start(writer.id)
        driver.domain_resume(writer.id)
        wait_until(lambda: b"WRITTEN" in driver.console_output(writer.id), timeout_s=60)
        assert driver.domain_info(writer.id).state is PowerState.RUNNING
    finally:
        driver.domain_destroy(writer.id)
        driver.volume_delete(writer.disks[0].volume)
        subprocess.run(["mount", "-o", "remount,size=16m", real_host.small_pool.path], check=True)


def test_a_guest_whose_process_is_killed_has_crashed(driver, writer, real_host):
    driver.domain_start(writer.id)
    pid = int((real_host.libvirtd.run_dir / "libvirt" / "qemu" / f"{writer.domain_name}.pid").read_text())
    os.kill(pid, signal.SIGKILL)

    assert wait_for(lambda: driver.domain_info(writer.id), PowerState.CRASHED).state is PowerState.CRASHED
    driver.domain_start(writer.id)
    assert driver.domain_info(writer.id).state is not PowerState.CRASHED


def test_a_restarted_libvirtd_finds_its_guests_and_the_driver_connects_again(driver, writer, real_host):
    driver.domain_start(writer.id)
    wait_for_ready(driver, writer.id, 60)

    real_host.libvirtd.stop(guests=False)
    real_host.libvirtd.start()

    assert driver.domain_info(writer.id).state in (PowerState.RUNNING, PowerState.PAUSED)
    assert b"INNKEEPER-READY" in driver.console_output(writer.id)
