"""Samples from counters: nothing is lost between them, nothing is made up."""

import uuid
from array import array
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hosts.drivers.types import DomainUsage
from hosts.usage.kinds import GUEST, HOST, guest_reading
from hosts.usage.sampling import WINDOW_MS, Observation, Window, windows_of

ME = uuid.UUID(int=7)
START_MS = 1_700_000_100_000 // WINDOW_MS * WINDOW_MS
FULL = {
    "cpu_time_ns": 0, "cpu_delay_ns": 0, "memory_used_mib": 512, "disk_read_bytes": 0, "disk_write_bytes": 0,
    "disk_read_ops": 0, "disk_write_ops": 0, "net_received_bytes": 0, "net_sent_bytes": 0,
}  # fmt: skip


def seen(at_s: float, **counters: int | None) -> Observation:
    """One guest as it was seen ``at_s`` seconds into the first window."""
    reading = guest_reading(DomainUsage(**{**FULL, **counters}), vcpus=2)
    return Observation.of(
        at_ms=START_MS + round(at_s * 1000), subjects=(ME,), numbers=array("q", reading), width=len(reading)
    )


def window(*observations: Observation, start_ms: int = START_MS, gap_after_s: float = 60) -> Window | None:
    found = windows_of(GUEST, observations, start_ms=start_ms, gap_after_s=gap_after_s)
    assert len(found) <= 1
    return found[0] if found else None


def series(of: Window | None, name: str) -> list[float | None]:
    assert of is not None
    return of.values[GUEST.series.index(name)]


def test_even_sweeps_give_exact_rates():
    rows = [seen(15 * n, net_sent_bytes=3000 * n, cpu_time_ns=6_000_000_000 * n) for n in range(21)]
    found = window(*rows)
    assert series(found, "net_sent_bytes_per_s") == [200.0] * 20
    assert series(found, "cpu_percent") == pytest.approx([20.0] * 20)  # 6 s of 2 × 15 s
    assert series(found, "memory_used_mib") == [512.0] * 20
    assert found is not None
    assert found.covered_s == [15.0] * 20


def test_a_slot_that_two_sweeps_share_is_weighted_by_time():
    found = window(seen(0), seen(10, disk_read_ops=100), seen(40, disk_read_ops=100))
    values = series(found, "disk_read_ops_per_s")
    assert values[:3] == [pytest.approx(100 / 15), 0.0, 0.0]
    assert found is not None
    assert found.covered_s[:4] == [15.0, 15.0, 10.0, None]
    assert values[3:] == [None] * 17


@pytest.mark.parametrize("name", ["cpu_time_ns", "net_received_bytes", "disk_write_ops"])
def test_a_counter_that_began_anew_leaves_a_gap_and_no_spike(name):
    found = window(seen(0, **{name: 10**12}), seen(15, **{name: 10**12 + 15}), seen(30, **{name: 900}),
                   seen(45, **{name: 900 + 30}))  # fmt: skip
    assert found is not None
    assert found.covered_s[:4] == [15.0, None, 15.0, None]
    for values in found.values:
        assert values[1] is None
        assert all(value is None or 0 <= value <= 512 for value in values)


def test_a_stretch_that_nobody_observed_is_a_gap():
    found = window(seen(0), seen(15), seen(90, net_sent_bytes=10**9), seen(105, net_sent_bytes=10**9 + 1500))
    assert series(found, "net_sent_bytes_per_s")[:8] == [0.0, None, None, None, None, None, 100.0, None]


def test_what_the_hypervisor_does_not_say_is_not_known():
    found = window(seen(0, cpu_delay_ns=None), seen(15, cpu_delay_ns=None, net_sent_bytes=None))
    assert series(found, "cpu_delay_percent") == [None] * 20
    assert series(found, "net_sent_bytes_per_s") == [None] * 20
    assert series(found, "disk_read_bytes_per_s")[0] == 0.0


def test_a_clock_that_goes_back_makes_nothing_up():
    assert window(seen(30), seen(15, net_sent_bytes=10)) is None


def test_each_guest_has_its_own_window_and_strangers_none():
    other = uuid.UUID(int=8)
    first, second = seen(0), seen(15)
    both = Observation.of(
        at_ms=START_MS + 15_000,
        subjects=(other, ME),
        numbers=array("q", [*second.numbers, *second.numbers]),
        width=second.width,
    )
    found = windows_of(GUEST, [first, both], start_ms=START_MS, gap_after_s=60)
    assert [one.subject for one in found] == [ME]


def test_a_host_waits_as_long_as_its_guests_say():
    numbers = [(10, 100, 0, 0, 2048), (60, 200, 500, 10_000, 1024), (70, 300, 500, 10_000, 1024), (0, 10, 0, 0, 1)]
    rows = [
        Observation.of(at_ms=START_MS + 15_000 * n, subjects=(ME,), numbers=array("q", reading), width=5)
        for n, reading in enumerate(numbers)
    ]
    (found,) = windows_of(HOST, rows, start_ms=START_MS, gap_after_s=60)
    cpu, delay, memory = found.values
    assert cpu[:3] == [50.0, 10.0, None]
    assert delay[:3] == [5.0, None, None]
    assert memory[:3] == [1024.0, 1024.0, None]


steps = st.lists(
    st.tuples(st.floats(0.5, 59), st.integers(0, 10**9)), min_size=1, max_size=40
)  # seconds since the last look, bytes since then


@settings(max_examples=200, deadline=None)
@given(offset_s=st.floats(0, 299), looks=steps)
def test_the_sum_of_bytes_is_kept_however_irregular_the_looks(offset_s, looks):
    at_s, total, rows = offset_s, 0, [seen(offset_s)]
    for seconds, grown in looks:
        at_s, total = at_s + seconds, total + grown
        rows.append(seen(at_s, net_sent_bytes=total))
    kept = covered = 0.0
    for start_ms in range(START_MS, rows[-1].at_ms + 1, WINDOW_MS):
        one = window(*rows, start_ms=start_ms)
        for seconds, rate in zip(one.covered_s, series(one, "net_sent_bytes_per_s"), strict=True) if one else ():
            if seconds is None:
                assert rate is None
                continue
            assert rate is not None
            assert 0 < seconds <= 15.0 + 1e-9
            kept += seconds * rate
            covered += seconds
    assert kept == pytest.approx(total, rel=1e-9, abs=1e-6)
    assert covered == pytest.approx((rows[-1].at_ms - rows[0].at_ms) / 1000)


@settings(max_examples=100, deadline=None)
@given(counters=st.lists(st.integers(0, 2**62), min_size=2, max_size=30))
def test_no_counters_whatever_give_a_rate_below_zero_or_above_the_steepest_rise(counters):
    rows = [seen(15 * n, disk_read_bytes=value) for n, value in enumerate(counters)]
    most = max((max(0, b - a) for a, b in pairwise(counters)), default=0) / 15
    for start_ms in range(START_MS, rows[-1].at_ms + 1, WINDOW_MS):
        one = window(*rows, start_ms=start_ms)
        for rate in series(one, "disk_read_bytes_per_s") if one else ():
            assert rate is None or 0 <= rate <= most * (1 + 1e-9)
