"""What guests use of a real network is counted on their own side: sent is what the guest sent."""

import time

import pytest

from lab.server import Server, wait_until
from tests.lab.conftest import Lab

pytestmark = [pytest.mark.kvm, pytest.mark.lxc]
MIB = 1024 * 1024
MANY_MIB = 20
SAMPLE_S = 15
# On a busy machine readings come up to five seconds off, and the rate of each stands for fifteen.
TOO_LITTLE, TOO_MUCH = 0.7, 1.7


def counted_mib(server: Server) -> tuple[float, float]:
    """Return the MiB received and sent in the samples of the last hour."""
    found = server.api.get(f"/guests/{server.id}/metrics", range="1h")
    names = ("net_received_bytes_per_s", "net_sent_bytes_per_s")
    received, sent = (sum(value or 0 for value in found["series"][name]) * found["step_s"] / MIB for name in names)
    return received, sent


def test_what_a_container_writes_is_counted_or_not_known_but_never_nothing(lab: Lab, order):
    """Not every kernel counts a container's I/O."""
    server = order("lxc", name="writes-lxc")
    server.wait_login()
    server.login().run(f"dd if=/dev/zero of=/root/file bs=1M count={MANY_MIB} && sync", timeout_s=180)
    wait_until(lambda: sum(counted_mib(server)) > 0, "its network is counted")
    time.sleep(SAMPLE_S)
    server.login().run(f"dd if=/dev/zero of=/root/file bs=1M count={MANY_MIB} && sync", timeout_s=180)
    time.sleep(2 * SAMPLE_S)  # what is sampled by then is complete
    series = server.api.get(f"/guests/{server.id}/metrics", range="1h")["series"]
    assert any(value is not None for value in series["cpu_percent"])
    disks = [value for name in series if name.startswith("disk_") for value in series[name] if value is not None]
    written = [value for value in series["disk_write_bytes_per_s"] if value]
    assert (disks == []) != (written != [])


def test_traffic_is_counted_in_its_own_direction(lab: Lab, order):
    servers = [order("kvm", name="talks-kvm"), order("lxc", name="talks-lxc")]
    for server in servers:
        server.wait_login()
        wait_until(lambda: sum(counted_mib(server)) > 0, "its network is counted")  # noqa: B023 - waited for

    for server in servers:
        server.login().run(f"dd if=/dev/zero bs=1M count={MANY_MIB}", timeout_s=180)
    time.sleep(2 * SAMPLE_S)  # what is sampled by then is complete
    for server in servers:
        received, sent = counted_mib(server)
        assert received < 2
        assert TOO_LITTLE * MANY_MIB <= sent < TOO_MUCH * MANY_MIB  # SSH says some more than the data

    for server in servers:
        server.login().run("cat >/dev/null", given="0" * MANY_MIB * MIB, timeout_s=180)
    time.sleep(2 * SAMPLE_S)
    for server in servers:
        received, sent = counted_mib(server)
        assert TOO_LITTLE * MANY_MIB <= received < TOO_MUCH * MANY_MIB
        assert sent < (TOO_MUCH + 0.1) * MANY_MIB
