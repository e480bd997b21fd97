"""A libvirtd that is there and does nothing (SIGSTOP): calls end by their deadline, and when it goes on all works."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from django.utils import timezone

from hosts import registry
from hosts.calls import guarded
from hosts.drivers.libvirt import LibvirtDriver
from hosts.drivers.types import HostType
from hosts.models import HostConnection
from panel.core.errors import HostTimeoutError, HostUnreachableError
from tests.drivers.checks import answers, wait_until
from tests.drivers.real_host import RealHost
from vms.collector import watcher

pytestmark = pytest.mark.kvm
DEADLINE_S = 2.0


@pytest.fixture
def frozen(real_host: RealHost) -> Iterator[Callable[[bool], None]]:
    """Freeze the host's libvirtd, or let it go on; it goes on in the end."""
    pid = int((real_host.libvirtd.run_dir / "libvirtd.pid").read_text())

    def freeze(stop: bool) -> None:
        os.kill(pid, signal.SIGSTOP if stop else signal.SIGCONT)

    yield freeze
    freeze(False)


def call(driver: LibvirtDriver) -> float:
    """Ask the host as a job does; return the seconds until HostTimeoutError."""
    began = time.monotonic()
    with pytest.raises(HostTimeoutError):
        guarded(lambda: driver, fence=lambda: None, deadline_s=lambda: DEADLINE_S).load()
    return time.monotonic() - began


@pytest.mark.parametrize("connected", [True, False])
def test_a_frozen_libvirtd_costs_a_call_its_deadline_and_no_more(real_host, frozen, monkeypatch, connected):
    monkeypatch.setattr(registry, "_drivers", {})
    driver = real_host.driver(HostType.KVM)
    if connected:
        driver.load()
    frozen(True)

    assert DEADLINE_S <= call(driver) < DEADLINE_S + 1
    # It was closed, so nobody waits at it a second time.
    began = time.monotonic()
    with pytest.raises(HostUnreachableError):
        driver.load()
    driver.close()
    assert time.monotonic() - began < 1

    another = real_host.driver(HostType.KVM)
    assert call(another) < DEADLINE_S + 1
    frozen(False)
    after = real_host.driver(HostType.KVM)
    wait_until(lambda: answers(after), timeout_s=20)
    after.close()


@pytest.mark.parametrize("connected", [True, False])
def test_a_frozen_libvirtd_costs_a_collector_its_deadlines_and_is_seen_again(real_host, frozen, monkeypatch, connected):
    monkeypatch.setattr(registry, "_drivers", {})
    monkeypatch.setattr(watcher, "CALL_DEADLINE_S", 1.0)
    bulk = [{"capability": "bulk_stats", "available": True, "reason": ""}]
    row = HostConnection(host_type="kvm", driver="libvirt", uri=real_host.uri(HostType.KVM), capabilities=bulk)
    one = watcher.HostWatcher(row)
    one.on_lost = lambda thread: pytest.fail("a thread was lost")
    if connected:
        assert one.look(timezone.now()).domains is not None
    frozen(True)

    began = time.monotonic()
    answer = one.look(timezone.now())
    assert (answer.domains, answer.hung) == (None, True)
    assert time.monotonic() - began < 5

    frozen(False)
    wait_until(lambda: one.look(timezone.now()).domains is not None, timeout_s=20)
