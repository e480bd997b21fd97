"""What containers may not do to their host, and what they may not leave on it."""

import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest

from hosts.drivers.libvirt import LibvirtDriver
from hosts.drivers.libvirt.places import MOUNTS_DIRECTORY
from hosts.drivers.types import (
    AddressSpec,
    DiskSpec,
    DomainSpec,
    HostType,
    NicSpec,
    PowerState,
    VolumeFormat,
    VolumeRef,
)
from panel.core.errors import DriverError
from panel.core.units import MIB
from tests.drivers.checks import usage_of, wait_for_ready, wait_until
from tests.drivers.conftest import remove_domain
from tests.drivers.real_host import BRIDGE, RealHost
from tests.drivers.spoofing_guest import container_image

pytestmark = pytest.mark.lxc

# A shell that cannot fork ends, so the bomb is a child; its children stay. The last command needs no fork.
FORK_BOMB = """\
(count=0; while $bb sleep 1000 & do count=$((count + 1)); [ $count -lt 400 ] || break; done; echo forked all)
echo INNKEEPER-READY
exec $bb sleep 1000
"""
MakeContainer = Callable[..., DomainSpec]


@pytest.fixture(scope="module")
def driver(real_host: RealHost) -> Iterator[LibvirtDriver]:
    driver = real_host.driver(HostType.LXC)
    driver.pool_ensure(real_host.pool)
    yield driver
    driver.close()


@pytest.fixture
def make_container(driver: LibvirtDriver, real_host: RealHost, tmp_path: Path) -> Iterator[MakeContainer]:
    """Define containers whose init is a shell script; remove them afterwards and assert that nothing is left."""
    made: list[DomainSpec] = []

    def make(script: str, **changes) -> DomainSpec:
        identity = uuid.uuid4()
        scratch = tmp_path / identity.hex
        for directory in ("bin", "dev", "proc", "sys", "tmp"):
            (scratch / "tree" / directory).mkdir(parents=True)
        tree = scratch / "tree"
        (tree / "bin" / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
        (tree / "init").write_text(f"#!/bin/busybox sh\nbb=/bin/busybox\n{script}")
        for program in ("bin/busybox", "init"):
            (tree / program).chmod(0o755)
        root = VolumeRef(real_host.pool.name, f"root-{identity.hex}")
        driver.volume_upload(root, source=container_image(scratch, tree), format=VolumeFormat.RAW)
        spec = DomainSpec(
            id=identity,
            name="container",
            host_type=HostType.LXC,
            vcpus=1,
            memory_mib=128,
            disks=(DiskSpec(volume=root, format=VolumeFormat.RAW),),
            nics=(),
            init="/init",
        )
        made.append(replace(spec, **changes))
        driver.domain_define(made[-1])
        return made[-1]

    yield make
    for spec in made:
        remove_domain(driver, spec.id)
        assert list(driver.leftovers(spec.id)) == []
        driver.volume_delete(spec.disks[0].volume)
    assert loop_devices(real_host) == []


def loop_devices(host: RealHost) -> list[str]:
    """Loop devices on this host's images, also deleted ones."""
    listing = subprocess.run(["losetup", "-l", "-n", "-O", "BACK-FILE"], check=True, capture_output=True, text=True)
    return [line for line in listing.stdout.splitlines() if str(host.directory) in line]


def limits_of(host: RealHost, spec: DomainSpec) -> Path:
    """The container's group, in the host's own tree."""
    return Path(f"/proc/{libvirtd_pid(host)}/root/sys/fs/cgroup/pids/innkeeper", spec.domain_name, "guest")


def nft(host: RealHost, *arguments: str) -> str:
    return host.inside("nft", *arguments)


def test_a_fork_bomb_stops_at_the_limit(driver, make_container, real_host):
    spec = make_container(FORK_BOMB, max_processes=60)
    driver.domain_start(spec.id)
    limits = limits_of(real_host, spec)

    output = wait_for_ready(driver, spec.id, 30)

    assert b"forked all" not in output
    assert (limits / "pids.max").read_text() == "60\n"
    assert 50 < int((limits / "pids.current").read_text()) <= 60
    refused = dict(line.split() for line in (limits / "pids.events").read_text().splitlines())
    assert int(refused["max"]) > 0
    # The host still controls it.
    driver.domain_destroy(spec.id)
    assert driver.domain_info(spec.id).state is PowerState.SHUTOFF
    assert not limits.exists()


def test_containers_without_a_limit_have_no_group_for_it(driver, make_container, real_host):
    spec = make_container("echo INNKEEPER-READY\n$bb sleep 1000\n")
    driver.domain_start(spec.id)
    wait_for_ready(driver, spec.id, 20)
    assert not limits_of(real_host, spec).exists()


def test_the_file_system_grows_with_its_volume(driver, make_container):
    show = "$bb df -m / | $bb tail -n 1 | $bb awk '{print \"size\", $2}'\necho INNKEEPER-READY\n$bb sleep 1000\n"
    spec = make_container(show)

    sizes = []
    for capacity in (16 * MIB, 64 * MIB):
        driver.volume_resize(spec.disks[0].volume, capacity_bytes=capacity)
        driver.domain_reset(spec.id)
        words = wait_for_ready(driver, spec.id, 20).split()
        sizes.append(int(words[words.index(b"size") + 1]))

    assert sizes[0] < 16
    assert 48 < sizes[1] < 64


def test_the_usage_of_its_disk_is_counted_or_not_known(driver, make_container):
    """Not every kernel counts a container's I/O; where it does not, libvirt says 0."""
    written = 4 * MIB
    write = f"$bb dd if=/dev/zero of=/tmp/file bs=64k count={written // 65536} conv=fsync\necho INNKEEPER-READY\n"
    spec = make_container(f"{write}$bb sleep 1000\n")
    driver.volume_resize(spec.disks[0].volume, capacity_bytes=32 * MIB)
    driver.domain_start(spec.id)
    wait_for_ready(driver, spec.id, 30)

    used = usage_of(driver, spec.id)

    counters = (used.disk_read_ops, used.disk_read_bytes, used.disk_write_ops, used.disk_write_bytes)
    assert counters == (None,) * 4 or ((used.disk_write_ops or 0) > 0 and (used.disk_write_bytes or 0) >= written)
    assert (used.cpu_time_ns or 0) > 0


def test_a_directory_of_the_host_mounted_by_hand_is_named_and_taken_away_again(driver, make_container, real_host):
    spec = make_container("echo INNKEEPER-READY\n$bb sleep 1000\n")
    assert driver.domain_changes(spec) == ()
    conn = libvirt.open(real_host.uri(HostType.LXC))
    written = conn.lookupByUUID(spec.id.bytes).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    mount = "<filesystem type='mount'><source dir='/etc'/><target dir='/mnt'/></filesystem></devices>"
    conn.defineXML(written.replace("</devices>", mount).replace("<title>", "<description>mine</description><title>"))
    conn.close()

    told = {one.part: (one.change.value, one.reaches_host) for one in driver.domain_changes(spec)}

    assert told == {"filesystem /etc at /mnt": ("added", True), "description": ("added", False)}
    driver.domain_define(spec)
    assert driver.domain_changes(spec) == ()


def test_a_stopped_container_frees_its_disk_while_others_run(driver, make_container, real_host):
    first = make_container("echo INNKEEPER-READY\n$bb sleep 1000\n")
    second = make_container("echo INNKEEPER-READY\n$bb sleep 1000\n")
    for spec in (first, second):
        driver.domain_start(spec.id)
        wait_for_ready(driver, spec.id, 20)
    assert len(loop_devices(real_host)) == 2

    driver.domain_destroy(first.id)

    assert len(loop_devices(real_host)) == 1


def test_a_container_that_ends_by_itself_leaves_nothing(driver, make_container, real_host):
    spec = make_container("exit 0\n")
    driver.domain_start(spec.id)
    deadline = time.monotonic() + 10
    while driver.domain_info(spec.id).state is PowerState.RUNNING and time.monotonic() < deadline:
        time.sleep(0.05)
    assert driver.domain_info(spec.id).state is PowerState.SHUTOFF
    deadline = time.monotonic() + 5
    while loop_devices(real_host) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert loop_devices(real_host) == []
    assert [entry for entry in driver.leftovers(spec.id) if not entry.startswith(("domain ", "log "))] == []


def test_an_init_that_hears_no_request_goes_on_and_is_said_to(driver, make_container):
    """libvirt 9.0 asks through /run/initctl alone and reports success, also where nobody reads that."""
    spec = make_container("trap '' TERM HUP INT PWR USR1 USR2\necho INNKEEPER-READY\nwhile :; do $bb sleep 1; done\n")
    driver.domain_start(spec.id)
    wait_for_ready(driver, spec.id, 20)

    assert driver.domain_shutdown(spec.id, timeout_s=3) is False
    assert driver.domain_info(spec.id).state is PowerState.RUNNING
    assert driver.domain_reboot(spec.id, timeout_s=1) is False
    assert driver.domain_info(spec.id).state is PowerState.RUNNING
    assert driver.console_output(spec.id).count(b"INNKEEPER-READY") == 1


def test_without_rules_there_is_no_start(driver, make_container, real_host):
    """A table of the same name that the rules do not fit in makes nft refuse."""
    address = AddressSpec(address="10.90.0.44", prefix=24)
    nic = NicSpec(mac="52:54:00:90:00:44", bridge=BRIDGE, addresses=(address,))
    spec = make_container("echo INNKEEPER-READY\n$bb sleep 1000\n", nics=(nic,))
    nft(real_host, "add", "table", "bridge", "innkeeper")
    nft(real_host, "delete", "table", "bridge", "innkeeper")
    nft(real_host, "add", "table", "bridge", "innkeeper")
    nft(real_host, "add", "set", "bridge", "innkeeper", "guests", "{ type mark; }")

    with pytest.raises(DriverError):
        driver.domain_start(spec.id)

    assert driver.domain_info(spec.id).state is PowerState.SHUTOFF
    assert "ik525400900044" not in real_host.inside("ip", "-o", "link")
    nft(real_host, "delete", "table", "bridge", "innkeeper")
    driver.domain_start(spec.id)
    wait_for_ready(driver, spec.id, 20)
    assert "ik525400900044" in nft(real_host, "list", "map", "bridge", "innkeeper", "guests")


def test_what_a_dead_libvirtd_left_is_named_and_cleaned(driver, make_container, real_host):
    """Mounts and rules of a domain that is not there any more, as after a crash between two steps."""
    spec = make_container("$bb sleep 1000\n")
    place = Path(MOUNTS_DIRECTORY, spec.domain_name, "root")
    inside = ["nsenter", f"--target={libvirtd_pid(real_host)}", "--mount", "--net"]
    image = str(Path(real_host.pool.path, spec.disks[0].volume.name))
    chain = f"g_{spec.id.hex[:12]}_ik1"
    for command in (
        ["mkdir", "-p", str(place)],
        ["mount", "-o", "loop", image, str(place)],
        ["nft", f"add table bridge innkeeper; add chain bridge innkeeper {chain}"],
    ):
        subprocess.run([*inside, *command], check=True)

    assert sorted(driver.leftovers(spec.id)) == [
        f"directory {place.parent}",
        f"domain {spec.domain_name}",
        f"mount {place}",
        f"rules {chain}",
    ]

    driver.domain_undefine(spec.id)
    assert list(driver.leftovers(spec.id)) == []


def test_a_restarted_libvirtd_finds_its_containers_and_puts_lost_rules_back(driver, make_container, real_host):
    """What /etc/nftables.conf begins with (flush ruleset) takes everybody's rules away."""
    address = AddressSpec(address="10.90.0.45", prefix=24)
    nic = NicSpec(mac="52:54:00:90:00:45", bridge=BRIDGE, addresses=(address,))
    spec = make_container("echo INNKEEPER-READY\n$bb sleep 1000\n", nics=(nic,))
    driver.domain_start(spec.id)
    wait_for_ready(driver, spec.id, 20)
    nft(real_host, "flush", "ruleset")

    real_host.libvirtd.stop(guests=False)
    real_host.libvirtd.start()

    assert driver.domain_info(spec.id).state is PowerState.RUNNING
    wait_until(lambda: nic.device in nft(real_host, "list", "ruleset"), timeout_s=20)
    assert "10.90.0.45" in nft(real_host, "list", "ruleset")
    driver.domain_destroy(spec.id)


def libvirtd_pid(host: RealHost) -> int:
    return int((host.libvirtd.run_dir / "libvirtd.pid").read_text())
