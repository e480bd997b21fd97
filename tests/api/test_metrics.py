"""Usage over time through the API: grids, gaps, ranges that do not do, who may read, and what the fleet does."""

import time
import uuid
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.utils import timezone

from hosts.usage import store
from hosts.usage.kinds import GUEST, HOST
from hosts.usage.open_window import stream_name
from hosts.usage.reading import points_read
from hosts.usage.recorder import HostUsage
from hosts.usage.resolutions import FINE, floor_to
from hosts.usage.sampling import Window
from hosts.usage.spans import span_of_range
from panel.core import doorbell
from panel.core.doorbell import redis_client
from tests import stock
from tests.client import problem, queries_of
from tests.services.usage import at, domain, load

pytestmark = pytest.mark.django_db
KEYS = {"from", "to", "step_s", "resolution_s", "timestamps", "series", "peaks"}


@pytest.fixture(autouse=True)
def _redis_is_there(monkeypatch):
    monkeypatch.setattr(doorbell, "_is_away", False)


@pytest.fixture
def guest(customer):
    host = stock.host_make(name="metal-1", cpus=4, memory_mib=8192)
    return stock.guest_make(customer, host=host, pool=host.pools.get(), vcpus=1)


def sampled(kind, subject, start: datetime, cpu_percent: float | None, *, slots: range = range(FINE.slots)) -> None:
    """Write one window whose CPU is the same in ``slots`` and nothing is known outside of them."""
    values = [[cpu_percent if slot in slots else None for slot in range(FINE.slots)] for _ in kind.series]
    covered = [15.0 if slot in slots else None for slot in range(FINE.slots)]
    store.windows_write(kind, [Window(subject, round(start.timestamp() * 1000), covered, values)])


def days_ago(days: int) -> str:
    """A midnight in UTC, as the API writes it."""
    return f"{floor_to(timezone.now() - timedelta(days=days), 86400):%Y-%m-%dT%H:%M:%SZ}"


def ago(**length: float) -> str:
    """A moment before now, as a client writes it."""
    return (timezone.now() - timedelta(**length)).isoformat()


def metrics(api, path: str, **query: str):
    response = api.get(path, **query)
    assert response.status_code == 200, response.content
    return response.json()


def test_the_last_hour_in_steps_of_15_seconds_with_gaps_as_null(viewer_api, guest):
    start = floor_to(timezone.now() - timedelta(minutes=20), 300)
    sampled(GUEST, guest.pk, start, 40.0, slots=range(4, 20))
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics")
    assert set(found) == KEYS | {"vcpus", "memory_mib"}
    assert (found["step_s"], found["resolution_s"], len(found["timestamps"])) == (15, 15, 240)
    times = [datetime.fromisoformat(text) for text in found["timestamps"]]
    assert all(one.timestamp() % 15 == 0 for one in times)
    assert timedelta() <= times[-1] + timedelta(seconds=15) - timezone.now() <= timedelta(seconds=15)
    assert set(found["series"]) == set(found["peaks"]) == set(GUEST.series)
    by_time = dict(zip(times, found["series"]["cpu_percent"], strict=True))
    assert {one for one, value in by_time.items() if value is not None} == {
        start + timedelta(seconds=15 * slot) for slot in range(4, 20)
    }
    assert set(by_time.values()) == {None, 40.0}


def test_the_last_hour_is_that_of_the_database(viewer_api, guest, monkeypatch):
    sampled(GUEST, guest.pk, floor_to(timezone.now() - timedelta(minutes=20), 300), 7.0)
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + timedelta(hours=2))
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics")["series"]["cpu_percent"]
    assert 7.0 in found


def test_the_open_window_shows_at_once_also_what_another_process_saw(viewer_api, guest):
    open_for = timezone.now() - floor_to(timezone.now(), 300)
    time.sleep(max(0.0, 42 - open_for.total_seconds()))  # all that follows is of one window
    begin = timezone.now() - timedelta(seconds=40)
    usage = HostUsage(host_id=guest.host_id, host_type=guest.host_type)
    for second in (0, 15, 30):
        usage.domains_seen(at=at(second, start=begin), domains=[domain(guest.pk, seconds=second)])
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics", range="1h")["series"]
    assert [v for v in found["net_sent_bytes_per_s"] if v is not None] == pytest.approx([1000.0] * 3, abs=1)
    coarse = metrics(viewer_api, f"/guests/{guest.pk}/metrics", range="24h")["series"]
    assert {round(v) for v in coarse["cpu_percent"] if v is not None} == {50}
    redis_client().flushall()
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics")["series"]
    assert set(found["cpu_percent"]) == {None}


def test_of_a_host_s_two_hypervisors_the_one_that_knows_a_value_shows_it(guest):
    open_for = timezone.now() - floor_to(timezone.now(), 300)
    time.sleep(max(0.0, 42 - open_for.total_seconds()))
    begin = timezone.now() - timedelta(seconds=40)
    for host_type, domains in (("lxc", False), ("kvm", True)):
        usage = HostUsage(host_id=guest.host_id, host_type=host_type)
        for second in (0, 15, 30):
            listed = [domain(guest.pk, seconds=second)] if domains else []
            usage.domains_seen(at=at(second, start=begin), domains=listed)
            usage.load_seen(at=at(second, start=begin), load=load(second))
    streams = [stream_name(kind=HOST.name, host_id=guest.host_id, host_type=one) for one in ("lxc", "kvm")]
    span = span_of_range("1h", now=timezone.now())
    means = points_read(HOST, guest.host_id, span=span, streams=streams).means
    assert [round(v, 1) for v in means["cpu_delay_percent"] if v is not None] == [1.0] * 3
    assert [round(v, 1) for v in means["cpu_percent"] if v is not None] == [10.0] * 3


@pytest.mark.parametrize(
    ("name", "step_s", "resolution_s", "count"),
    [("1h", 15, 15, 240), ("6h", 60, 15, 360), ("24h", 300, 300, 288), ("7d", 900, 300, 672), ("30d", 3600, 3600, 720),
     ("1y", 86400, 3600, 365)],
)  # fmt: skip
def test_every_range_has_its_step(viewer_api, guest, name, step_s, resolution_s, count):
    start = floor_to(timezone.now() - timedelta(minutes=20), 300)
    sampled(GUEST, guest.pk, start, 20.0, slots=range(10))
    sampled(GUEST, guest.pk, start + timedelta(minutes=5), 50.0)
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics", range=name)
    assert (found["step_s"], found["resolution_s"], len(found["timestamps"])) == (step_s, resolution_s, count)
    assert {len(values) for values in (*found["series"].values(), *found["peaks"].values())} == {count}
    means = [value for value in found["series"]["cpu_percent"] if value is not None]
    assert max(value for value in found["peaks"]["cpu_percent"] if value is not None) == 50.0
    weight = 40.0 if len(means) == 1 else None  # all of it in one step: a third was seen for half of the time
    assert weight is None or means == [weight]
    assert all(20.0 <= value <= 50.0 for value in means)


@pytest.mark.parametrize(
    ("days", "step", "most"),
    [(1, "15", 5780), (31, "900", 2978), (731, "21600", 2926)],
)
def test_all_that_is_kept_can_be_asked_for_also_by_a_clock_that_is_a_little_behind(viewer_api, guest, days, step, most):
    query = {"from": ago(days=days, seconds=30), "step": step}
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics", **query)
    assert found["step_s"] == int(step)
    assert most - 30 <= len(found["timestamps"]) <= most


def test_a_range_can_be_asked_for_as_fine_as_it_is_kept(viewer_api, guest):
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics", range="24h", step="15")
    assert found["step_s"] == 15
    assert 5740 <= len(found["timestamps"]) <= 5760  # the range begins where a step of its own begins


def test_a_day_without_a_step_gets_one_for_a_graph(viewer_api, guest):
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics", **{"from": ago(days=1)})
    assert (found["step_s"], found["resolution_s"]) == (300, 300)


def test_from_and_to_choose_the_step_and_cover_the_whole_stretch(viewer_api, guest):
    begin = timezone.now() - timedelta(hours=2, seconds=7)
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics", **{"from": begin.isoformat()})
    assert found["step_s"] == 15
    assert datetime.fromisoformat(found["from"]) <= begin
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics", **{"from": days_ago(330), "to": days_ago(300)})
    assert (found["step_s"], found["from"], found["to"]) == (3600, days_ago(330), days_ago(300))
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics", range="30d", step="86400")
    assert (found["step_s"], len(found["timestamps"])) == (86400, 31)


@pytest.mark.parametrize(("range_name", "step_s", "days"), [("30d", 300, 30), ("1y", 3600, 365)])
def test_all_samples_that_are_kept_of_a_range_can_be_had_at_once(viewer_api, guest, range_name, step_s, days):
    found = metrics(viewer_api, f"/guests/{guest.pk}/metrics", range=range_name, step=step_s)
    assert found["step_s"] == found["resolution_s"] == step_s
    assert abs(len(found["timestamps"]) - days * 86400 // step_s) <= max(1, 86400 // step_s)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"range": "2h"}, "range"),
        ({"range": "1h", "from": days_ago(9)}, "range"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2999-01-01T00:00:00Z"}, "from"),
        ({"from": "1999-01-01T00:00:00Z"}, "from"),
        ({"from": days_ago(8), "to": days_ago(9)}, "to"),
        ({"to": days_ago(9)}, "from"),
        ({"step": "7"}, "step"),
        ({"step": "-15"}, "step"),
        ({"step": "x"}, "step"),
        ({"from": ago(days=1, minutes=6), "step": "15"}, "step"),
        ({"range": "30d", "step": "60"}, "step"),
        ({"from": days_ago(600), "step": "3600"}, "step"),
        ({"from": days_ago(300), "to": days_ago(299), "step": "60"}, "step"),
        ({"resolution": "15"}, "resolution"),
    ],
)
def test_a_range_that_does_not_do_is_refused_naming_the_parameter(viewer_api, guest, query, field):
    refused = problem(viewer_api.get(f"/guests/{guest.pk}/metrics", **query), 400, "invalid_input")
    assert [error["field"] for error in refused["errors"]] == [field]


def test_another_customers_guest_does_not_exist(stranger_api, guest):
    problem(stranger_api.get(f"/guests/{guest.pk}/metrics"), 404, "not_found")
    assert metrics(stranger_api, "/guests/sparklines", ids=str(guest.pk))["results"] == []


def test_the_number_of_queries_does_not_grow_with_the_range(viewer_api, guest):
    path = f"/guests/{guest.pk}/metrics"
    metrics(viewer_api, path)  # the token's first use is written down
    counts = {queries_of(partial(metrics, viewer_api, path, range=name)) for name in ("1h", "24h", "1y")}
    assert counts == {5}


def test_a_host_shows_processors_memory_and_the_wait_for_them(operator_api, guest):
    usage = HostUsage(host_id=guest.host_id, host_type="kvm")
    begin = timezone.now() - timedelta(seconds=40)
    for second in (0, 15, 30):
        usage.domains_seen(at=at(second, start=begin), domains=[domain(guest.pk, seconds=second)])
        usage.load_seen(at=at(second, start=begin), load=load(second, percent=25))
    found = metrics(operator_api, f"/hosts/{guest.host_id}/metrics")
    assert set(found) == KEYS | {"cpus", "memory_mib"}
    assert {round(v, 1) for v in found["series"]["cpu_percent"] if v is not None} == {25.0}
    assert {round(v, 1) for v in found["series"]["cpu_delay_percent"] if v is not None} == {1.0}


def test_sparklines_of_a_page_of_guests_come_at_once(owner_api, customer, guest):
    others = [stock.guest_make(customer, host=guest.host, pool=guest.pool) for _ in range(3)]
    hour_ago = floor_to(timezone.now(), 300) - timedelta(minutes=10)
    for number, one in enumerate((guest, others[0])):
        sampled(GUEST, one.pk, hour_ago, 10.0 * (number + 1))
    ids = ",".join(str(one.pk) for one in (guest, *others))
    found = metrics(owner_api, "/guests/sparklines", ids=ids)
    for wanted in (str(guest.pk), ids):
        assert queries_of(partial(metrics, owner_api, "/guests/sparklines", ids=wanted)) == 5
    assert [row["id"] for row in found["results"]] == [str(guest.pk), str(others[0].pk)]
    quiet: list[float | None] = [None] * 10
    assert [row["cpu_percent"] for row in found["results"]] == [[*quiet, value, None] for value in (10.0, 20.0)]
    assert found["step_s"] == 300


@pytest.mark.parametrize("ids", ["", "x", ",".join(str(uuid.uuid4()) for _ in range(201))])
def test_sparklines_of_none_or_too_many_are_refused(owner_api, ids):
    refused = problem(owner_api.get("/guests/sparklines", ids=ids), 400, "invalid_input")
    assert [error["field"] for error in refused["errors"]] == ["ids"]


def test_utilisation_has_the_idlest_first_and_the_fleet_over_time(operator_api):
    room = (("busy", 30), ("idle", 10), ("unseen", 10))
    busy, idle, _ = [stock.host_make(name=name, cpus=cpus, memory_mib=1000, used_vcpus=3) for name, cpus in room]
    start = floor_to(timezone.now() - timedelta(hours=2), 3600)
    for number in range(12):
        moment = start + timedelta(minutes=5 * number)
        sampled(HOST, busy.pk, moment, 90.0 if number == 11 else 40.0)
        sampled(HOST, idle.pk, moment, 8.0)
    found = metrics(operator_api, "/hosts/utilisation", range="24h")
    assert [host["name"] for host in found["hosts"]] == ["idle", "busy", "unseen"]
    first, second, last = found["hosts"]
    assert first["cpu_percent"] == {"average": 8.0, "p95": 8.0, "peak": 8.0}
    assert second["cpu_percent"]["average"] == pytest.approx((11 * 40 + 90) / 12, abs=0.01)
    assert second["cpu_percent"]["peak"] == 90.0
    assert 40 <= second["cpu_percent"]["p95"] <= 90
    assert second["sold"] == {"vcpus": 3, "memory_mib": 0}
    assert last["cpu_percent"] == {"average": None, "p95": None, "peak": None}
    assert last["cpu_delay_percent"] is None
    fleet = found["fleet"]
    assert {len(values) for values in fleet.values()} == {288}
    cells = [(cpu, hosts) for cpu, hosts in zip(fleet["cpu_percent"], fleet["hosts"], strict=True) if cpu is not None]
    assert cells == [((30 * 40 + 10 * 8) / 40, 2)] * 11 + [((30 * 90 + 10 * 8) / 40, 2)]


@pytest.mark.parametrize("name", ["1h", "6h", "7d", "30d", "1y"])
def test_utilisation_of_any_range_costs_the_same_number_of_queries(operator_api, name):
    hosts = [stock.host_make(cpus=2) for _ in range(3)]
    sampled(HOST, hosts[0].pk, floor_to(timezone.now() - timedelta(minutes=20), 300), 12.0)
    found = metrics(operator_api, "/hosts/utilisation", range=name)
    assert queries_of(lambda: metrics(operator_api, "/hosts/utilisation", range=name)) == 6
    assert found["hosts"][0]["cpu_percent"]["average"] == 12.0
    assert [value for value in found["fleet"]["cpu_percent"] if value is not None] == [12.0]


def test_utilisation_is_for_staff_and_takes_known_ranges(owner_api, operator_api):
    problem(owner_api.get("/hosts/utilisation"), 403, "permission_denied")
    refused = problem(operator_api.get("/hosts/utilisation", range="2d"), 400, "invalid_input")
    assert refused["errors"][0]["field"] == "range"
