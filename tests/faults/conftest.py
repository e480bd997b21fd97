"""A whole panel of processes on a simulated host, whose services a test may stop."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest

from hosts.drivers.simulated import SimulatedAdmin, SimulatedServer
from hosts.models import Host
from lab.client import Api
from lab.panel import LabPanel, panel_lent
from lab.server import wait_until
from panel.core.models import Customer
from panel.setup.subnet import GuestSubnets
from tests.factories import ED25519
from tests.faults.deeds import Deeds
from tests.faults.inside import Inside
from tests.simulated_fleet import Fleet

HOST = "simulated"
SUBNETS = GuestSubnets(IPv4Network("10.91.0.0/22"), IPv6Network("fd00:91::/64"))
# Rows of an image whose files are a megabyte of nothing, in the panel's own settings.
_IMAGE = """
from types import SimpleNamespace
from django.conf import settings
from tests.simulated_fleet import Fleet
Fleet(SimpleNamespace(admin=lambda: None), settings.CACHE_DIR).image()
"""
_SHORT = {
    "JOB_LEASE_S": "4",
    "JOB_RENEW_S": "1",
    "JOB_SWEEP_S": "1",
    "JOB_RESEND_S": "2",
    "COLLECT_EVERY_S": "2",
    "API_RATE_LIMIT_PER_MINUTE": "100000",
}


@dataclass(frozen=True)
class Installation:
    """A panel, its simulated hosts, and an administrator's API."""

    panel: LabPanel
    host: SimulatedAdmin
    admin: Api
    inside: Inside

    def order(self, name: str) -> dict[str, Any]:
        """Ask for a small KVM guest; return what the API answered."""
        answer = self.admin.call("POST", "/guests", order_body(name))
        assert answer.status == 202, answer
        accepted: dict[str, Any] = answer.body
        return accepted

    def listening(self) -> bool:
        """Whether both workers and the builder wait for a message; each does, again and again, while it has room."""
        return "blocked_clients:3" in self.panel.redis.command("INFO", "clients").splitlines()


def order_body(name: str) -> dict[str, Any]:
    """Return the body of an order for a small KVM guest."""
    size = {"vcpus": 1, "memory_mib": 256, "disk_gib": 1}
    return {"name": name, "host_type": "kvm", "image": "micro", "ssh_keys": [ED25519], **size}


@contextmanager
def installed(
    *, hosts: Sequence[str] = (HOST,), settings: Mapping[str, str] | None = None, cpus: int = 16
) -> Iterator[Installation]:
    """Lend a panel that runs: two workers, two collectors, web and builder, with short leases."""
    with (
        panel_lent(settings=_SHORT | dict(settings or {})) as panel,
        SimulatedServer(panel.run_dir / "s.sock") as server,
    ):
        host = server.admin()
        panel.prepare()
        panel.manage("shell", "-c", _IMAGE)
        for name in hosts:
            host.make_host(name, cpus=cpus, memory_mib=4096 * cpus)
            uris = {"kvm": server.uri(name), "lxc": server.uri(name)}
            panel.enrol(name, uris, driver="simulated", pool="/pool", bridge="ink", subnets=SUBNETS)
        panel.start()
        panel.wait_hosts()
        inside = Inside(panel, server.socket_path)
        yield Installation(panel, host, panel.api(), inside)
        inside.close()
        host.close()


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """A panel with one host."""
    with installed() as found:
        yield found


@pytest.fixture
def job_when(installation: Installation) -> Callable[..., dict[str, Any]]:
    """Wait until a job is at a status: ``job_when(id, "running")``."""

    def wait(job_id: str, status: str, *, timeout_s: float = 60) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def reached() -> bool:
            found.update(installation.admin.get(f"/jobs/{job_id}"))
            return bool(found["status"] == status)

        wait_until(reached, f"job {status}", timeout_s=timeout_s)
        return found

    return wait


@pytest.fixture
def deeds(fleet: Fleet, one_host: Host, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> Deeds:
    """Ways to ask for everything on one simulated host."""
    return Deeds(fleet, one_host, customer, monkeypatch)
