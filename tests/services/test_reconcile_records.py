"""How what was found is written down: never the older over the newer, in few statements, nothing closed by chance."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.drivers.types import VolumeFormat, VolumeRef
from hosts.models import Host, HostConnection, IPAddress
from hosts.registry import driver_of
from panel.core.errors import DriverError
from tests.services.comparing import found, only
from tests.services.guests import order
from tests.simulated_fleet import jobs_run
from vms.models import Comparison, Difference, DifferenceKind, Guest
from vms.operations import survey as surveys
from vms.operations.survey import compare_connection, survey
from vms.services.reconcile import actions, panel_checks
from vms.services.reconcile.compare import host_compare, panel_compare
from vms.services.reconcile.record import differences_forget
from vms.services.reconcile.settle import settled
from vms.services.reconcile.turns import PANEL, Turn, turn_failed, turn_take, turn_written

pytestmark = pytest.mark.django_db(transaction=True)


def in_thread(call: Callable[[], Any]) -> Any:
    """Run something on a database connection of its own, and wait for it."""
    got: list[Any] = []

    def work() -> None:
        try:
            got.append(call())
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive()
    return got[0]


def taken(row: HostConnection) -> Turn:
    """Take the turn of comparing a hypervisor."""
    turn = turn_take(row, anew=True)
    assert turn is not None
    return turn


@pytest.fixture
def looked(kvm) -> Callable[[], Any]:
    """Take a turn and ask the host; return what writes that down."""

    def look() -> Callable[[], bool]:
        turn = taken(kvm)
        host = survey(driver_of(kvm), kvm, with_volumes=True, turn=turn)
        return lambda: host_compare(connection=kvm, host=host, turn=turn)

    return look


# ── older and newer ─────────────────────────────────────────────────────────────────────────────────
def test_an_older_look_never_overwrites_a_newer_one(one_host, fleet, looked):
    legacy, newer = uuid.uuid4(), uuid.uuid4()
    fleet.admin.make_foreign_domain(one_host.name, legacy, name="legacy")
    old = looked()
    fleet.admin.drop_domain(one_host.name, legacy)
    fleet.admin.make_foreign_domain(one_host.name, newer, name="newer")
    new = looked()
    assert new()
    ended = Comparison.objects.get(connection__host_type="kvm").ended_at
    assert not old()
    assert found() == [("domain-without-guest", "newer", "open")]
    assert Comparison.objects.get(connection__host_type="kvm").ended_at == ended


def test_a_turn_is_written_once_and_not_after_it_was_given_up(kvm, looked):
    write = looked()
    assert write()
    assert not write()
    turn = taken(kvm)
    turn_failed(turn, error="The host did not answer in time.")
    with turn_written(turn) as now:
        assert now is None
    kvm.refresh_from_db()
    assert kvm.comparison.error == "The host did not answer in time."


def test_the_failure_of_an_older_turn_says_nothing(kvm, looked):
    turn = taken(kvm)
    assert looked()()
    turn_failed(turn, error="Too late.")
    assert Comparison.objects.get(connection=kvm).error == ""


def test_a_turn_of_before_a_restored_backup_is_not_written_and_blocks_none(kvm, looked):
    turn = taken(kvm)
    Comparison.objects.update(turn=0, ended_turn=0)
    with turn_written(turn) as now:
        assert now is None
    turn_failed(turn, error="Too late.")
    assert looked()()


def test_what_was_settled_while_the_host_was_asked_does_not_come_back(one_host, fleet, looked):
    fleet.admin.make_foreign_domain(one_host.name, uuid.uuid4(), name="legacy")
    assert looked()()
    write = looked()
    settled(only(), how="adopted")
    assert write()
    assert found() == []
    assert looked()()
    assert found() == [("domain-without-guest", "legacy", "open")]


def test_turns_go_by_the_database_s_clock(kvm, monkeypatch):
    right = timezone.now
    assert turn_take(kvm)
    monkeypatch.setattr(timezone, "now", lambda: right() + timedelta(days=1))
    assert turn_take(kvm) is None
    ahead = timezone.now()
    monkeypatch.undo()
    Comparison.objects.update(began_at=ahead)  # by a clock that was set back since
    assert turn_take(kvm)


# ── cost ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_comparison_costs_as_many_statements_however_much_differs(one_host, fleet, looked):
    def statements(names: list[str]) -> tuple[int, int, int]:
        Difference.objects.all().delete()
        made = [uuid.uuid4() for _ in names]
        for identity, name in zip(made, names, strict=True):
            fleet.admin.make_foreign_domain(one_host.name, identity, name=name)
        counts = [written() for _ in ("made", "seen")]
        assert len(found()) == len(names)
        for identity in made:
            fleet.admin.drop_domain(one_host.name, identity)
        counts.append(written())
        assert found() == []
        return counts[0], counts[1], counts[2]

    def written() -> int:
        write = looked()
        with CaptureQueriesContext(connection) as queries:
            assert write()
        return len(queries)

    few = statements(["one"])
    assert statements([f"domain-{number}" for number in range(9)]) == few


def test_one_host_does_not_wait_for_another(kvm, fleet):
    other = fleet.host().connections.get(host_type="kvm")
    turn, its = taken(kvm), taken(other)

    def write() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout TO '5s'")
        with turn_written(its) as now:
            return now is not None

    with turn_written(turn):
        assert in_thread(write)


def test_a_total_is_counted_before_anything_is_locked(guest, one_host, look, staff, monkeypatch):
    """What somebody takes between counting and writing is in both the total and the sum."""
    Host.objects.filter(pk=one_host.pk).update(used_vcpus=9)
    look()
    count = actions.total_now

    def counted(*args: Any) -> Any:
        total = count(*args)

        def take() -> None:
            Guest.objects.filter(pk=guest.pk).update(vcpus=3)
            Host.objects.filter(pk=one_host.pk).update(used_vcpus=F("used_vcpus") + 2)

        in_thread(take)
        return total

    monkeypatch.setattr(actions, "total_now", counted)
    actions.difference_repair(actor=staff, difference=only())
    assert Host.objects.get(pk=one_host.pk).used_vcpus == 3


# ── listings that are cut ───────────────────────────────────────────────────────────────────────────
def test_what_a_cut_listing_lacks_stays_open(guest, monkeypatch):
    rows = list(IPAddress.objects.filter(owner_id=None, family=4).order_by("pk")[:3])
    lost = {"owner_id": uuid.uuid4(), "taken_at": timezone.now() - timedelta(hours=1)}
    IPAddress.objects.filter(pk__in=[row.pk for row in rows]).update(**lost)
    monkeypatch.setattr(panel_checks, "MOST", 1)
    for _ in range(3):
        panel_compare()
        assert [row.object_id for row in Difference.objects.all()] == [rows[0].pk]
    monkeypatch.undo()
    panel_compare()
    monkeypatch.setattr(panel_checks, "MOST", 1)
    panel_compare()
    assert len(found("open")) == 3
    IPAddress.objects.filter(pk__in=[row.pk for row in rows[1:]]).update(owner_id=None)
    panel_compare()  # one is listed, and that is all
    assert [row.object_id for row in Difference.objects.filter(state="open")] == [rows[0].pk]


def test_long_names_are_differences_of_their_own(one_host, kvm, looked):
    one_host.connections.exclude(pk=kvm.pk).update(enabled=False)  # nobody else could use them
    pool = one_host.pools.get()
    for end in ("one", "two"):
        ref = VolumeRef(pool.name, "v" * 200 + end)
        driver_of(kvm).volume_create(ref, format=VolumeFormat.RAW, capacity_bytes=1024)
    for _ in range(2):
        assert looked()()
        assert [label[-3:] for _, label, _ in found()] == ["one", "two"]


# ── configurations in turn ──────────────────────────────────────────────────────────────────────────
def test_all_configurations_are_compared_in_turn_and_one_found_stays_until_its_next_turn(
    one_host, customer, fleet, looked, monkeypatch
):
    monkeypatch.setattr(surveys, "CONFIGURATIONS_AT_ONCE", 1)
    guests = [order(customer, name=f"web-{n}").guest for n in range(4)]
    jobs_run()
    for guest in guests:
        fleet.admin.change_domain(one_host.name, guest.pk, max_processes=7)
    fleet.admin.clear_calls()
    for _ in guests:
        assert looked()()
    asked = fleet.admin.calls(host=one_host.name, call="domain_changes")
    assert sorted(str(one.arguments["spec"]["id"]) for one in asked) == sorted(str(guest.pk) for guest in guests)
    assert found() == [("configuration-changed", f"web-{n}", "open") for n in range(4)]


def test_one_configuration_that_cannot_be_read_does_not_end_the_comparison(guest, one_host, fleet, looked):
    fleet.admin.make_foreign_domain(one_host.name, uuid.uuid4(), name="legacy")
    fleet.admin.set_fault(one_host.name, "domain_changes", FaultKind.ERROR, error=DriverError)
    assert looked()()
    assert found() == [("domain-without-guest", "legacy", "open")]


# ── errors of our own ───────────────────────────────────────────────────────────────────────────────
def test_an_error_of_our_own_ends_the_turn(kvm, monkeypatch):
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("vcpus")

    monkeypatch.setattr(surveys, "host_compare", broken)
    with pytest.raises(KeyError):
        compare_connection(driver_of(kvm), kvm)
    row = Comparison.objects.get(connection=kvm)
    assert (row.error, row.ended_turn) == ("The panel could not compare what the host said (KeyError).", row.turn)


def test_an_error_of_a_check_ends_the_panel_s_turn(db, monkeypatch):
    def broken() -> None:
        raise KeyError("vcpus")

    monkeypatch.setattr("vms.services.reconcile.compare._SOURCES", {"broken": ((), broken)})
    with pytest.raises(KeyError):
        panel_compare()
    assert Comparison.objects.get(pk=PANEL).error == "The panel could not compare its own records (KeyError)."


def test_what_was_closed_a_year_ago_is_forgotten_and_nothing_else():
    now = timezone.now()
    for key, state, closed in (
        ("old", "closed", now - timedelta(days=366)),
        ("new", "closed", now - timedelta(days=364)),
        ("open", "open", None),
    ):
        Difference.objects.create(
            kind=DifferenceKind.WRONG_SIZE, severity="low", key=key, object_type="guest", label=key, state=state,
            last_seen_at=now - timedelta(days=400), closed_at=closed,
        )  # fmt: skip
    assert differences_forget() == 1
    assert set(Difference.objects.values_list("key", flat=True)) == {"new", "open"}
