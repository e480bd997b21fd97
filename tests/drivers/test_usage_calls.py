"""What asking a host for its domains one by one costs it, and how bulk statistics are read."""

import time
import uuid
from collections import Counter
from typing import Any

import libvirt

from hosts.drivers.libvirt import states, usage
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.types import DomainUsage, PowerState, domain_name


class Container:
    """Counts what it is asked; what libvirt answers without asking its host does not count."""

    def __init__(self, *, nics: int, state: int = libvirt.VIR_DOMAIN_RUNNING) -> None:
        self.asked: Counter[str] = Counter()
        self._id, self._nics, self._state = uuid.uuid4(), nics, state

    def UUID(self) -> bytes:
        return self._id.bytes

    def name(self) -> str:
        return domain_name(self._id)

    def ID(self) -> int:
        return 7 if self._state == libvirt.VIR_DOMAIN_RUNNING else -1

    def info(self) -> list[int]:
        self.asked["info"] += 1
        return [self._state, 262144, 65536, 1, 5_000]

    def state(self) -> list[int]:
        self.asked["state"] += 1
        return [self._state, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED]

    def blockStats(self, _path: str) -> tuple[int, ...]:
        self.asked["blockStats"] += 1
        return (1, 2, 3, 4, -1)

    def XMLDesc(self) -> str:
        self.asked["XMLDesc"] += 1
        nics = "".join(f"<interface><target dev='ik{n}'/></interface>" for n in range(self._nics))
        return f"<domain><devices>{nics}</devices></domain>"

    def interfaceStats(self, _name: str) -> tuple[int, ...]:
        self.asked["interfaceStats"] += 1
        return (10, 0, 0, 0, 20, 0, 0, 0)


class Conn:
    def __init__(self, domains: list[Container]) -> None:
        self._domains = domains

    def listAllDomains(self) -> list[Container]:
        return self._domains


def each(*domains: Container) -> Any:
    session = Session(conn=Conn(list(domains)), sockets=[], pid=0)
    return lambda: states.each(session)


def test_a_container_is_asked_at_most_four_times_a_look():
    for nics in range(4):
        domain = Container(nics=nics)
        look = each(domain)
        for _ in range(3):
            domain.asked.clear()
            (info,) = look()
            assert domain.asked.total() <= 4
        known = 0 < nics <= 2
        assert info.usage == DomainUsage(
            cpu_time_ns=5_000,
            memory_used_mib=64,
            disk_read_ops=1,
            disk_read_bytes=2,
            disk_write_ops=3,
            disk_write_bytes=4,
            net_received_bytes=10 * nics if known else None,
            net_sent_bytes=20 * nics if known else None,
        )


def test_one_that_is_off_is_asked_why_and_uses_nothing():
    domain = Container(nics=1, state=libvirt.VIR_DOMAIN_SHUTOFF)
    (info,) = each(domain)()
    assert (info.state, info.usage) == (PowerState.CRASHED, None)
    assert domain.asked.total() <= 4


def test_fifty_containers_a_second_are_asked_and_no_more():
    began = time.monotonic()
    each(*(Container(nics=1) for _ in range(20)))()
    assert 0.4 <= time.monotonic() - began < 2


def test_bulk_statistics_are_added_up_and_what_is_not_said_is_not_known():
    stats = {
        "cpu.time": 9, "vcpu.current": 2, "vcpu.maximum": 2, "vcpu.0.delay": 3, "vcpu.1.delay": 4,
        "block.count": 2, "block.0.rd.bytes": 1, "block.1.rd.bytes": 2, "block.1.wr.reqs": 5,
        "net.count": 1, "net.0.rx.bytes": 6, "net.0.tx.bytes": 7, "balloon.rss": 4096,
    }  # fmt: skip
    assert usage.from_stats(stats) == DomainUsage(
        cpu_time_ns=9,
        cpu_delay_ns=7,
        memory_used_mib=4,
        disk_read_bytes=3,
        disk_write_ops=5,
        net_received_bytes=6,
        net_sent_bytes=7,
    )
    told = stats | {"balloon.available": 262144, "balloon.usable": 131072}
    assert usage.from_stats(told).memory_used_mib == 128
