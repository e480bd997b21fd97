"""What asking a host for its domains one by one costs it, and how bulk statistics are read."""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import libvirt
import pytest

from hosts.drivers.libvirt import events, states, usage
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.types import DomainUsage, PowerState, domain_name
from tests.drivers.no_libvirtd import failure


class Container:
    """Counts what it is asked; what libvirt answers without asking its host does not count."""

    def __init__(self, *, nics: int, state: int = libvirt.VIR_DOMAIN_RUNNING) -> None:
        self.asked: Counter[str] = Counter()
        self.block: tuple[int, ...] = (1, 2, 3, 4, -1)
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
        return self.block

    def XMLDesc(self) -> str:
        self.asked["XMLDesc"] += 1
        nics = "".join(f"<interface><target dev='ik{n}'/></interface>" for n in range(self._nics))
        return f"<domain><devices>{nics}</devices></domain>"

    def interfaceStats(self, _name: str) -> tuple[int, ...]:
        self.asked["interfaceStats"] += 1
        return (10, 0, 0, 0, 20, 0, 0, 0)


class Foreign(Container):
    """A running domain of somebody else's."""

    taken_over = False

    def name(self) -> str:
        return "legacy"

    def metadata(self, _kind: int, _namespace: str) -> str:
        self.asked["metadata"] += 1
        if not self.taken_over:
            raise failure(libvirt.VIR_ERR_NO_DOMAIN_METADATA, "metadata not found")
        return "<guest/>"


class Conn:
    def __init__(self, domains: Sequence[Container]) -> None:
        self._domains = domains
        self.told: dict[int, Callable[..., None]] = {}

    def listAllDomains(self) -> Sequence[Container]:
        return self._domains

    def getAllDomainStats(self, _wanted: int, _flags: int) -> list[tuple[Container, dict[str, int]]]:
        return [(domain, {"state.state": libvirt.VIR_DOMAIN_RUNNING}) for domain in self._domains]

    def domainEventRegisterAny(self, _domain: None, event: int, callback: Callable[..., None], _opaque: None) -> None:
        self.told[event] = callback

    def domainEventDeregisterAny(self, _number: int) -> None:
        pass

    def registerCloseCallback(self, *_: object) -> None:
        pass

    def unregisterCloseCallback(self) -> None:
        pass


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


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ((0, 0, 0, 0, -1), (None, None, None, None)),  # the kernel does not count, or nothing was used yet
        ((-1, 0, -1, 0, -1), (None, None, None, None)),
        ((0, 0, 3, 4096, -1), (0, 0, 3, 4096)),  # once one is counted, 0 is a number
        ((-1, 512, -1, 0, -1), (None, 512, None, 0)),
    ],
)
def test_a_container_s_disk_use_is_not_known_while_nothing_is_counted(said, known):
    domain = Container(nics=1)
    domain.block = said
    (info,) = each(domain)()
    used = info.usage
    assert (used.disk_read_ops, used.disk_read_bytes, used.disk_write_ops, used.disk_write_bytes) == known
    assert used.cpu_time_ns == 5_000


def test_one_that_is_off_is_asked_why_and_uses_nothing():
    domain = Container(nics=1, state=libvirt.VIR_DOMAIN_SHUTOFF)
    (info,) = each(domain)()
    assert (info.state, info.usage) == (PowerState.CRASHED, None)
    assert domain.asked.total() <= 4


@pytest.mark.parametrize("state", [libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_SHUTOFF])
def test_fifty_containers_a_second_are_asked_and_no_more(state):
    began = time.monotonic()
    each(*(Container(nics=1, state=state) for _ in range(20)))()
    assert 0.4 <= time.monotonic() - began < 2


def test_what_was_found_out_about_a_container_goes_with_it():
    gone, stays = Container(nics=1), Container(nics=1)
    domains = [gone, stays]
    session = Session(conn=Conn(domains), sockets=[], pid=0)
    states.each(session)
    domains.remove(gone)
    states.each(session)
    assert list(session.facts["nics"]) == [uuid.UUID(bytes=stays.UUID())]


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


CHANGES = {
    "defined": (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, (libvirt.VIR_DOMAIN_EVENT_DEFINED, 1)),
    "its metadata set": (libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, (0, "namespace")),
}


@pytest.mark.parametrize("listing", [states.bulk, states.each])
@pytest.mark.parametrize("change", CHANGES)
def test_whose_foreign_domains_are_is_asked_once_and_again_after_a_change(listing, change):
    off = Foreign(nics=0, state=libvirt.VIR_DOMAIN_SHUTOFF)
    domains = [off, *(Foreign(nics=0) for _ in range(50 if listing is states.bulk else 3))]
    conn = Conn(domains)
    session = Session(conn=conn, sockets=[], pid=0)
    events.listen(session, lambda domain: None)

    def look() -> tuple[int, int]:
        """Return how many are ours, and how many were asked."""
        before = sum(one.asked["metadata"] for one in domains)
        ours = sum(info.ours for info in listing(session))
        return ours, sum(one.asked["metadata"] for one in domains) - before

    assert [look() for _ in range(3)] == [(0, len(domains)), (0, 0), (0, 0)]
    event, told = CHANGES[change]
    for taken_over in (True, False):
        domains[1].taken_over = taken_over
        conn.told[event](conn, domains[1], *told, None)
        assert [look() for _ in range(2)] == [(int(taken_over), 1), (int(taken_over), 0)]


def test_a_change_while_it_is_asked_is_not_missed():
    domain = Foreign(nics=0)
    session = Session(conn=Conn([domain]), sockets=[], pid=0)
    events.listen(session, lambda domain: None)
    ask = domain.metadata

    def slow(kind: int, namespace: str) -> str:
        try:
            return ask(kind, namespace)
        finally:
            domain.taken_over = True
            session.conn.told[libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE](None, domain, 0, "", None)

    domain.metadata = slow  # type: ignore[method-assign,assignment]
    assert [info.ours for _ in range(2) for info in states.bulk(session)] == [False, True]


def test_without_events_a_foreign_domain_is_asked_each_time():
    domain = Foreign(nics=0)
    session = Session(conn=Conn([domain]), sockets=[], pid=0)
    assert [info.ours for _ in range(2) for info in states.bulk(session)] == [False, False]
    domain.taken_over = True
    assert [info.ours for _ in range(2) for info in states.bulk(session)] == [True, True]
    assert domain.asked["metadata"] == 3
