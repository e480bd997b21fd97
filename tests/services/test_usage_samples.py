"""Usage samples on their way into PostgreSQL: rolled up, written twice, taken over, and without Redis."""

import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import DatabaseError, connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hosts.usage import store
from hosts.usage.kinds import GUEST, HOST
from hosts.usage.recorder import MOST_KEPT, HostUsage
from hosts.usage.resolutions import COARSE, FINE, MEDIUM, RESOLUTIONS
from hosts.usage.sampling import Window
from panel.core import doorbell
from panel.core.doorbell import redis_client
from tests.services.usage import at, domain, load, rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _redis_is_there(monkeypatch):
    monkeypatch.setattr(doorbell, "_is_away", False)


@pytest.fixture
def start() -> datetime:
    """The start of a window of some hours ago, the second one of its hour."""
    return COARSE.row_start(timezone.now() - timedelta(days=1)) + timedelta(hours=3, minutes=5)


def watched(usage: HostUsage, guest_id: uuid.UUID, *, start: datetime, seconds: range, **counters: int) -> None:
    """Let a collector look at one guest and its host every ``seconds.step``."""
    for second in seconds:
        usage.domains_seen(at=at(second, start=start), domains=[domain(guest_id, seconds=second, **counters)])
        usage.load_seen(at=at(second, start=start), load=load(second))


def usage_make(host_id: uuid.UUID | None = None) -> HostUsage:
    return HostUsage(host_id=host_id or uuid.uuid4(), host_type="kvm")


def window_make(subject: uuid.UUID, start: datetime, value: float | None = 1.0, *, covered_s: float = 15) -> Window:
    """A window with the same value everywhere."""
    seconds = covered_s if value is not None else None
    return Window(
        subject=subject, start_ms=round(start.timestamp() * 1000), covered_s=[seconds] * FINE.slots,
        values=[[value] * FINE.slots for _ in GUEST.series],
    )  # fmt: skip


def test_a_window_is_written_when_it_has_ended_and_rolled_up_at_once(start):
    guest_id, host_id = uuid.uuid4(), uuid.uuid4()
    usage = usage_make(host_id)
    watched(usage, guest_id, start=start, seconds=range(0, 300, 15))
    assert rows(GUEST, "15s", guest_id) == []
    watched(usage, guest_id, start=start, seconds=range(300, 316, 15))
    names = ("covered_s", "cpu_percent", "net_sent_bytes_per_s", "cpu_delay_percent", "memory_used_mib")
    ((began, *samples),) = rows(GUEST, "15s", guest_id, *names)
    assert began == start
    assert samples == [[15.0] * 20, [50.0] * 20, [1000.0] * 20, [1.0] * 20, [300.0] * 20]
    ((began, covered, cpu, most),) = rows(GUEST, "5m", guest_id, "covered_s", "cpu_percent", "cpu_percent_max")
    assert began == start.replace(minute=0)
    gap = [None] * 12
    assert (covered, cpu, most) == ([None, 300.0, *gap[2:]], [None, 50.0, *gap[2:]], [None, 50.0, *gap[2:]])
    ((began, covered, sent),) = rows(GUEST, "1h", guest_id, "covered_s", "net_sent_bytes_per_s")
    assert began == start.replace(hour=0, minute=0)
    assert (covered[3], sent[3]) == (300.0, 1000.0)
    assert [value for place, value in enumerate(sent) if place != 3] == [None] * 23
    ((_, cpu, delay),) = rows(HOST, "5m", host_id, "cpu_percent", "cpu_delay_percent")
    assert cpu[1] == pytest.approx(10)
    assert delay[1] == pytest.approx(1)


def test_an_hour_of_windows_lies_in_one_row_and_its_hour_is_their_weighted_mean(start):
    guest_id, hour = uuid.uuid4(), start.replace(minute=0)
    for n in range(12):
        began = hour + timedelta(minutes=5 * n)
        store.windows_write(GUEST, [window_make(guest_id, began, float(n), covered_s=15 if n else 1.5)])
    ((_, cpu, most),) = rows(GUEST, "5m", guest_id, "cpu_percent", "cpu_percent_max")
    assert cpu == most == [float(n) for n in range(12)]
    ((_, covered, cpu, most),) = rows(GUEST, "1h", guest_id, "covered_s", "cpu_percent", "cpu_percent_max")
    assert covered[3] == 30 + 11 * 300
    assert cpu[3] == pytest.approx(sum(300 * n for n in range(12)) / covered[3])
    assert most[3] == 11.0


def test_writing_the_same_again_changes_nothing(start):
    guest_id = uuid.uuid4()
    windows = [window_make(guest_id, start, 4.0), window_make(uuid.uuid4(), start, 5.0)]
    before: list[list[Sequence[Any]]] = []
    for _ in range(3):
        store.windows_write(GUEST, windows)
        now = [rows(GUEST, one.name, guest_id, "covered_s", *GUEST.series) for one in RESOLUTIONS]
        assert before in ([], now)
        before = now
    assert len(before) == len(RESOLUTIONS)


def test_of_two_samples_of_one_slot_the_fuller_stays(start):
    guest_id = uuid.uuid4()
    part = window_make(guest_id, start, 8.0)
    part.covered_s[:] = [15.0] * 5 + [6.0] + [None] * 14
    for values in part.values:
        values[6:] = [None] * 14
    store.windows_write(GUEST, [part])
    store.windows_write(GUEST, [window_make(guest_id, start, 2.0, covered_s=14)])
    expected = ([15.0] * 5 + [14.0] * 15, [8.0] * 5 + [2.0] * 15)
    ((_, *found),) = rows(GUEST, "15s", guest_id, "covered_s", "cpu_percent")
    assert tuple(found) == expected
    store.windows_write(GUEST, [part])
    ((_, *found),) = rows(GUEST, "15s", guest_id, "covered_s", "cpu_percent")
    assert tuple(found) == expected
    ((_, cpu),) = rows(GUEST, "5m", guest_id, "cpu_percent")
    assert cpu[1] == pytest.approx((75 * 8 + 15 * 14 * 2) / (75 + 210))


def test_another_collector_goes_on_from_what_the_first_left(start):
    guest_id, host_id = uuid.uuid4(), uuid.uuid4()
    watched(usage_make(host_id), guest_id, start=start, seconds=range(0, 200, 15))
    watched(usage_make(host_id), guest_id, start=start, seconds=range(210, 316, 15))
    ((_, covered, cpu),) = rows(GUEST, "15s", guest_id, "covered_s", "cpu_percent")
    assert (covered, cpu) == ([15.0] * 20, [50.0] * 20)


def test_two_collectors_at_once_do_not_double(start):
    guest_id, host_id = uuid.uuid4(), uuid.uuid4()
    both = usage_make(host_id), usage_make(host_id)
    for second in range(0, 331, 10):
        for late, usage in enumerate(both):
            watched(usage, guest_id, start=start, seconds=range(second + 3 * late, second + 3 * late + 1, 10))
    ((_, covered, sent),) = rows(GUEST, "15s", guest_id, "covered_s", "net_sent_bytes_per_s")
    assert covered == [15.0] * 20
    assert sent == pytest.approx([1000.0] * 20)
    ((_, covered, sent),) = rows(GUEST, "5m", guest_id, "covered_s", "net_sent_bytes_per_s")
    assert (covered[1], sent[1]) == (300.0, pytest.approx(1000.0))


def test_without_redis_memory_serves_and_a_flush_costs_the_open_window_at_most(start, monkeypatch):
    guest_id = uuid.uuid4()
    usage = usage_make()
    watched(usage, guest_id, start=start, seconds=range(0, 100, 15))
    redis_client().flushall()
    watched(usage, guest_id, start=start, seconds=range(105, 200, 15))

    def away(*_args, **_kwargs):
        raise redis.ConnectionError("away")

    monkeypatch.setattr(redis.client.Pipeline, "execute", away)
    watched(usage, guest_id, start=start, seconds=range(210, 316, 15))
    ((_, covered),) = rows(GUEST, "15s", guest_id, "covered_s")
    assert covered == [15.0] * 20


def test_a_write_that_fails_is_tried_again_and_disturbs_nobody(start, monkeypatch, caplog):
    guest_id = uuid.uuid4()
    usage = usage_make()
    write, calls = store.windows_write, []

    def failing(kind, windows):
        calls.append(kind.name)
        if len(calls) < 4:
            raise DatabaseError("no room")
        write(kind, windows)

    monkeypatch.setattr(store, "windows_write", failing)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own transaction
    watched(usage, guest_id, start=start, seconds=range(0, 361, 15))
    assert "is not kept for now" in caplog.text
    ((_, covered),) = rows(GUEST, "15s", guest_id, "covered_s")
    assert covered == [15.0] * 20


def test_what_cannot_be_written_for_hours_is_not_kept_for_ever(start, monkeypatch):
    def failing(kind, windows):
        raise DatabaseError("no room")

    usage, guest_id = usage_make(), uuid.uuid4()
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own transaction
    with monkeypatch.context() as broken:
        broken.setattr(store, "windows_write", failing)
        watched(usage, guest_id, start=start, seconds=range(0, 2 * 15 * MOST_KEPT, 15))
        assert [len(recorder.observations) for recorder in (usage._guests, usage._host)] == [MOST_KEPT, MOST_KEPT]
    end = 2 * 15 * MOST_KEPT
    watched(usage, guest_id, start=start, seconds=range(end, end + 16, 15))
    written = rows(GUEST, "15s", guest_id, "covered_s")
    assert [began for began, _ in written] == [start + timedelta(minutes=5 * number) for number in range(6, 12)]
    assert [covered for _, covered in written[1:]] == [[15.0] * 20] * 5


def test_the_last_window_of_a_host_that_went_silent_is_written(start):
    guest_id = uuid.uuid4()
    usage = usage_make()
    watched(usage, guest_id, start=start, seconds=range(0, 151, 15))
    usage.silent(at=at(180, start=start))
    assert rows(GUEST, "15s", guest_id) == []
    usage.silent(at=at(250, start=start))
    ((_, covered),) = rows(GUEST, "15s", guest_id, "covered_s")
    assert covered == [15.0] * 10 + [None] * 10
    watched(usage, guest_id, start=start, seconds=range(255, 316, 15))
    ((_, covered),) = rows(GUEST, "15s", guest_id, "covered_s")
    assert covered == [15.0] * 10 + [None] * 7 + [15.0] * 3
    usage.silent(at=at(900, start=start))
    assert len(rows(GUEST, "15s", guest_id)) == 2


def test_a_guest_that_is_off_or_somebody_elses_has_no_samples(start):
    off, foreign = uuid.uuid4(), uuid.uuid4()
    usage = usage_make()
    for second in range(0, 316, 15):
        listing = [domain(off, seconds=second), domain(foreign, seconds=second)]
        object.__setattr__(listing[0], "usage", None)
        object.__setattr__(listing[1], "ours", False)
        usage.domains_seen(at=at(second, start=start), domains=listing)
    assert rows(GUEST, "15s", off) == rows(GUEST, "15s", foreign) == []


def test_partitions_are_made_ahead_and_old_ones_dropped_whole():
    today = datetime.now(UTC).date()
    with connection.cursor() as cursor:
        for name, begin, end in (
            ("usage_guest_15s_20010101", "2001-01-01", "2001-01-02"),
            ("usage_host_5m_20010101", "2001-01-01", "2001-01-02"),
            ("usage_guest_1h_200101", "2001-01-01", "2001-02-01"),
        ):
            parent = name.rsplit("_", 1)[0]
            cursor.execute(f"CREATE TABLE {name} PARTITION OF {parent} FOR VALUES FROM ('{begin}') TO ('{end}')")
        for _ in range(2):
            store.partitions_ensure()
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^usage_'")
        found = {name for (name,) in cursor.fetchall()}
    days = {f"usage_{kind}_{grain}_{today + timedelta(days=n):%Y%m%d}"
            for kind in ("guest", "host") for grain in ("15s", "5m") for n in range(4)}  # fmt: skip
    assert days <= found
    assert f"usage_guest_1h_{today:%Y%m}" in found
    assert not [name for name in found if "_2001" in name]


@pytest.mark.parametrize("lost", ["15s_{:%Y%m%d}", "5m_{:%Y%m%d}", "1h_{:%Y%m}"])
def test_a_window_that_has_no_partition_gets_one_at_once(start, lost):
    guest_id = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE usage_guest_{lost.format(start)}")
    store.windows_write(GUEST, [window_make(guest_id, start)])
    assert [len(rows(GUEST, one.name, guest_id)) for one in RESOLUTIONS] == [1, 1, 1]


values = st.one_of(st.none(), st.floats(0, 1e9, width=32))
a_window = st.lists(st.tuples(st.floats(0.5, 15, width=32), values), min_size=20, max_size=20)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(a_window, min_size=1, max_size=14), again=st.booleans())
def test_roll_ups_keep_sums_and_peaks(start, drawn, again):
    """What was sent, added up from any of the three tables, is the same; the highest sample survives."""
    guest_id = uuid.uuid4()
    place = GUEST.series.index("net_sent_bytes_per_s")
    for n, samples in enumerate(drawn):
        one = window_make(guest_id, start + n * timedelta(minutes=5), 0.0)
        one.covered_s[:] = [None if value is None else seconds for seconds, value in samples]
        one.values[place][:] = [value for _, value in samples]
        for _ in range(any(one.covered_s) * (2 if again else 1)):
            store.windows_write(GUEST, [one])
    known = [(seconds, value) for samples in drawn for seconds, value in samples if value is not None]
    total, seconds = sum(a * b for a, b in known), sum(a for a, _ in known)
    for resolution in (FINE, MEDIUM, COARSE):
        most = "net_sent_bytes_per_s" + ("" if resolution is FINE else "_max")
        kept = [
            cell
            for _, covered, means, peaks in rows(
                GUEST, resolution.name, guest_id, "covered_s", "net_sent_bytes_per_s", most
            )
            for cell in zip(covered, means or [None] * len(covered), peaks or [None] * len(covered), strict=True)
            if cell[1] is not None
        ]
        assert sum(a * b for a, b, _ in kept) == pytest.approx(total, rel=1e-5)
        assert sum(a for a, _, _ in kept) == pytest.approx(seconds, rel=1e-5)
        assert max((peak for *_, peak in kept), default=0) == pytest.approx(max((v for _, v in known), default=0))


@pytest.mark.django_db(transaction=True)
def test_writers_of_one_window_at_once_agree(start):
    guests = [uuid.uuid4() for _ in range(20)]
    failed: list[BaseException] = []

    def write(order: list[uuid.UUID], value: float) -> None:
        try:
            store.windows_write(GUEST, [window_make(one, start, value) for one in order])
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(guests[::sign], 7.0)) for sign in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    for one in guests:
        ((_, cpu),) = rows(GUEST, "15s", one, "cpu_percent")
        assert cpu == [7.0] * 20
        ((_, cpu),) = rows(GUEST, "5m", one, "cpu_percent")
        assert cpu[1] == 7.0
