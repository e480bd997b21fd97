"""The simulated server as a process: restarts, killed clients, forks, its costs."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path

import pytest

from hosts.drivers.simulated import SimulatedAdmin, SimulatedDriver, SimulatedServer
from hosts.drivers.types import DomainSpec, HostType, PoolSpec, PowerState, SeedFiles, VolumeRef
from panel.core.errors import HostUnreachableError
from tests.drivers.checks import started, wait_until


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
    parent = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[3], timeout=60, check=False)
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
    client = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[3])
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
