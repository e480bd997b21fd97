"""The driver contract on simulated hosts, and what else they do by themselves."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.simulated import SimulatedAdmin, SimulatedDriver, SimulatedServer
from hosts.drivers.simulated.driver import make_uri
from hosts.drivers.simulated.faults import FaultKind
from hosts.drivers.simulated.guest import host_key_fingerprint
from hosts.drivers.types import (
    Capability,
    DomainSpec,
    HostType,
    NicSpec,
    PoolSpec,
    PowerState,
    SeedFiles,
    VolumeFormat,
    VolumeRef,
)
from panel.core.errors import (
    CapabilityError,
    DomainNotFoundError,
    DriverError,
    HostUnreachableError,
    InvalidInputError,
    StorageFullError,
)
from panel.core.units import GIB, MIB
from tests.drivers.checks import MakeSpec, NewDriver, can, listed, sparse_file, wait_until
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


# ── guests that act by themselves ───────────────────────────────────────────────────────────────


def test_a_boot_prints_the_same_host_keys_each_time(driver: SimulatedDriver, make_spec: MakeSpec):
    domain = started(driver, make_spec())
    expected = [
        f"INNKEEPER-HOSTKEY {kind} {host_key_fingerprint(domain, kind)}".encode() for kind in ("ssh-ed25519", "ssh-rsa")
    ]
    assert driver.console_output(domain).splitlines() == [*expected, b"INNKEEPER-READY"]
    driver.domain_destroy(domain)
    driver.domain_start(domain)
    assert driver.console_output(domain).splitlines() == [*expected, b"INNKEEPER-READY"]


def test_a_boot_takes_its_latency(driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec):
    admin.set_latency("guest_boot", 1, host=host)
    domain = started(driver, make_spec())
    assert driver.console_output(domain) == b""
    wait_until(lambda: driver.console_output(domain).endswith(b"INNKEEPER-READY\r\n"))


def test_a_guest_powers_itself_off(driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec):
    domain = started(driver, make_spec())
    admin.guest_poweroff(host, domain)
    info = driver.domain_info(domain)
    assert (info.state, info.state_reason) == (PowerState.SHUTOFF, "shutdown")


def test_a_guest_crashes_and_starts_again(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.guest_crash(host, domain)
    assert driver.domain_info(domain).state is PowerState.CRASHED
    assert driver.domain_shutdown(domain, timeout_s=1) is True
    driver.domain_start(domain)
    assert driver.domain_info(domain).state is PowerState.RUNNING


def test_a_guest_whose_disk_is_full_is_paused_until_there_is_room(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.guest_disk_full(host, domain)
    assert (driver.domain_info(domain).state, driver.domain_info(domain).state_reason) == (
        PowerState.PAUSED,
        "disk_full",
    )
    driver.domain_resume(domain)
    assert driver.domain_info(domain).state is PowerState.PAUSED
    admin.guest_disk_full(host, domain, full=False)
    driver.domain_resume(domain)
    assert driver.domain_info(domain).state is PowerState.RUNNING


def test_a_guest_that_ignores_shutdown_runs_on(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.guest_set_ignores_shutdown(host, domain)
    assert driver.domain_shutdown(domain, timeout_s=0.2) is False
    assert driver.domain_reboot(domain, timeout_s=0.2) is False
    assert driver.domain_info(domain).state is PowerState.RUNNING
    assert admin.dump_host(host).domains[domain].starts == 1


def test_a_slow_guest_goes_off_after_the_caller_gave_up(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.set_latency("guest_shutdown", 2, host=host)
    assert driver.domain_reboot(domain, timeout_s=0.1) is False
    assert driver.domain_shutdown(domain, timeout_s=0.1) is False
    assert driver.domain_info(domain).state is PowerState.RUNNING
    assert driver.domain_shutdown(domain, timeout_s=20) is True
    assert admin.dump_host(host).domains[domain].starts == 1


def test_a_waiting_shutdown_notices_that_the_power_was_cut(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec, in_thread
):
    domain = started(driver, make_spec())
    admin.guest_set_ignores_shutdown(host, domain)
    waiting = in_thread(lambda: driver.domain_shutdown(domain, timeout_s=30))
    time.sleep(0.1)
    driver.domain_destroy(domain)
    assert waiting.result(timeout=5) is True


def test_a_guest_restarts_itself_and_prints(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.guest_print(host, domain, b"\x1b[31mhello\xff")
    admin.guest_reboot(host, domain)
    output = driver.console_output(domain)
    assert output.count(b"INNKEEPER-READY") == 2
    assert b"\x1b[31mhello\xff" in output


def test_the_seed_is_what_the_guest_would_find(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec, seed: SeedFiles
):
    spec = make_spec()
    assert spec.seed is not None
    assert admin.seed_of(host, spec.seed) == seed
    assert admin.calls(host=host, call="seed_write")[0].arguments["seed"] == {"files": sorted(seed.files)}


# ── hosts ───────────────────────────────────────────────────────────────────────────────────────


def test_a_rebooted_host_has_another_boot_id_and_its_domains_off(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    before = driver.facts().boot_id
    admin.reboot_host(host)
    assert driver.facts().boot_id != before
    assert driver.domain_info(domain).state is PowerState.SHUTOFF
    assert not [entry for entry in driver.leftovers(domain) if entry.startswith("rules")]
    driver.domain_start(domain)


def test_a_host_that_was_cut_off_comes_back_with_its_guests_running(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    domain = started(driver, make_spec())
    admin.set_reachable(host, False)
    with pytest.raises(HostUnreachableError):
        driver.facts()
    admin.set_reachable(host, True)
    assert driver.domain_info(domain).state is PowerState.RUNNING


def test_types_of_one_host_share_storage_but_not_domains(
    driver: SimulatedDriver, server: SimulatedServer, host: str, make_spec: MakeSpec
):
    spec = make_spec()
    driver.domain_define(spec)
    containers = server.driver(host, HostType.LXC)
    assert containers.domain_list() == []
    with pytest.raises(DomainNotFoundError):
        containers.domain_start(spec.id)
    assert containers.volume_list("pool") == driver.volume_list("pool")
    containers.close()


def test_an_unemulated_domain_needs_acceleration(
    driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec
):
    spec = make_spec()
    admin.make_host(host, missing={Capability.ACCELERATION: "No vmx."})
    assert driver.facts().emulated is True
    assert not can(driver, Capability.ACCELERATION)
    with pytest.raises(CapabilityError) as refused:
        driver.domain_define(spec)
    assert refused.value.detail == "No vmx."


def test_a_pool_that_filled_up_takes_no_more(driver: SimulatedDriver, admin: SimulatedAdmin, host: str, pool: PoolSpec):
    driver.volume_create(VolumeRef(pool.name, "first"), format=VolumeFormat.QCOW2, capacity_bytes=GIB)
    admin.set_pool_capacity(host, pool.name, 300 * 1024)
    with pytest.raises(StorageFullError):
        driver.volume_create(VolumeRef(pool.name, "second"), format=VolumeFormat.QCOW2, capacity_bytes=GIB)
    assert driver.pool_info(pool.name).available_bytes < 196 * 1024


def test_changes_behind_the_panels_back(driver: SimulatedDriver, admin: SimulatedAdmin, host: str, make_spec: MakeSpec):
    spec = make_spec()
    driver.domain_define(spec)
    admin.change_domain(host, spec.id, memory_mib=999)
    assert not driver.domain_is_current(spec)
    admin.leave_behind(host, spec.id, ["rules left"])
    admin.drop_domain(host, spec.id)
    assert listed(driver, spec.id) == []
    assert list(driver.leftovers(spec.id)) == ["rules left"]


def test_deleting_state_forgets_everything(server: SimulatedServer, driver: SimulatedDriver, pool: PoolSpec):
    admin = server.admin()
    admin.set_latency("facts", 5)
    admin.delete_state()
    assert admin.list_hosts() == []
    assert admin.calls() == []
    assert driver.facts().cpus == 16
    admin.close()


def test_two_thousand_hosts_cost_little(server: SimulatedServer, admin: SimulatedAdmin):
    begun = time.monotonic()
    for number in range(2000):
        admin.make_host(f"many-{number}", cpus=64)
    assert time.monotonic() - begun < 10
    assert len([name for name in admin.list_hosts() if name.startswith("many-")]) == 2000
    for number in range(2000):
        admin.delete_host(f"many-{number}")


@pytest.mark.parametrize(
    "uri", ["qemu:///system", "simulated:///h1", "simulated:///?socket=/x", "simulated://h/h1?socket=/x"]
)
def test_a_uri_of_another_shape_is_refused(uri: str):
    with pytest.raises(InvalidInputError):
        SimulatedDriver(HostType.KVM, uri)


# ── the server as a process ─────────────────────────────────────────────────────────────────────


def test_the_state_survives_a_restart_with_a_state_file(socket_folder: Path, tmp_path: Path):
    state = tmp_path / "state.json"
    path = socket_folder / "kept.sock"
    spec = DomainSpec(
        id=uuid.uuid4(),
        name="kept",
        host_type=HostType.LXC,
        vcpus=1,
        memory_mib=64,
        disks=(),
        nics=(),
        max_processes=10,
        labels={"a": "b"},
    )
    with SimulatedServer(path, state=state) as first:
        driver = first.driver("h1", HostType.LXC)
        driver.pool_ensure(PoolSpec(name="pool", path="/p"))
        driver.seed_write(VolumeRef("pool", "seed"), SeedFiles(files={"meta-data": b"\x00\xff"}))
        facts = driver.facts()
        started(driver, spec)
        console = driver.console_output(spec.id)
    with pytest.raises(HostUnreachableError):
        driver.facts()
    with SimulatedServer(path, state=state) as second:
        assert driver.facts() == facts  # the same driver finds the new server
        assert driver.domain_is_current(spec)
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        assert driver.console_output(spec.id) == console
        admin = second.admin()
        assert admin.seed_of("h1", VolumeRef("pool", "seed")).files == {"meta-data": b"\x00\xff"}
        admin.close()
    driver.close()


def test_a_second_server_on_a_socket_is_refused_and_a_dead_ones_socket_is_taken(
    server: SimulatedServer, socket_folder: Path
):
    command = [sys.executable, "-m", "hosts.drivers.simulated", "--socket", str(server.socket_path)]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert "Another simulated server" in refused.stderr
    stale = socket_folder / "stale.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stale))
    with SimulatedServer(stale) as second:
        assert second.driver("h1").facts().hostname == "h1"
    assert not stale.exists()


def test_a_server_ends_with_the_process_that_started_it(socket_folder: Path):
    path = socket_folder / "orphan.sock"
    script = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from hosts.drivers.simulated import SimulatedServer
        SimulatedServer(Path({str(path)!r})).start()
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    parent = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], timeout=60, check=False)
    assert parent.returncode == -signal.SIGKILL
    wait_until(lambda: not path.exists())


def test_a_killed_client_loses_nothing(
    server: SimulatedServer, admin: SimulatedAdmin, driver: SimulatedDriver, host: str, pool: PoolSpec
):
    """The call of a process that gets SIGKILL while it waits is done nevertheless."""
    admin.set_latency("volume_create", 2, host=host)
    script = textwrap.dedent(
        f"""
        from hosts.drivers.simulated import SimulatedDriver
        from hosts.drivers.types import HostType, VolumeFormat, VolumeRef
        driver = SimulatedDriver(HostType.KVM, {server.uri(host)!r})
        driver.volume_create(VolumeRef("pool", "orphan"), format=VolumeFormat.RAW, capacity_bytes=4096)
        """
    )
    client = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
    wait_until(lambda: admin.calls(host=host, call="volume_create") != [])
    os.kill(client.pid, signal.SIGKILL)
    assert client.wait() == -signal.SIGKILL
    assert driver.volume_list(pool.name) == []

    wait_until(lambda: admin.calls(host=host, call="volume_create")[0].ended_at is not None)

    assert [info.ref.name for info in driver.volume_list(pool.name)] == ["orphan"]
    assert admin.calls(host=host, call="volume_create")[0].outcome == "ok"


def test_a_forked_process_has_connections_of_its_own(driver: SimulatedDriver):
    driver.load()
    child = os.fork()
    if child == 0:
        os._exit(0 if driver.facts().cpus == 16 else 1)
    assert driver.load().memory_total_mib == 65536
    assert os.waitpid(child, 0)[1] == 0
    assert driver.facts().cpus == 16


def test_a_thousand_calls_cost_less_than_half_a_second_of_both_sides_together(
    server: SimulatedServer, driver: SimulatedDriver
):
    """2,000 calls a second of one processor; its time is counted and not the clock's, for others use it too."""
    driver.load()
    before = time.thread_time() + cpu_s(server.pid)
    for _ in range(1000):
        driver.load()
    assert time.thread_time() + cpu_s(server.pid) - before < 0.5


def cpu_s(pid: int) -> float:
    """Return the processor time a process has used: fields 14 and 15 of proc(5)'s stat."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
