"""The collector's comparisons: a thread that never comes back does not end them for its host."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vms.collector import comparing, deadlines
from vms.collector.comparing import Comparisons
from vms.collector.lanes import Lane
from vms.models import Comparison
from vms.operations.survey import survey
from vms.services.reconcile.compare import host_compare

pytestmark = pytest.mark.django_db(transaction=True)


class Holding:
    """A lease of every host."""

    def holds(self, _host_id: object) -> bool:
        return True


@pytest.fixture
def lane() -> Iterator[Lane]:
    lane = Lane("compare", size=1, with_database=True)
    yield lane
    lane.close()
    lane.join(until=time.monotonic() + 10)


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    assert true()


def test_a_host_whose_thread_never_returns_is_compared_again(kvm, lane, monkeypatch):
    monkeypatch.setattr(deadlines, "GIVE_UP_AFTER_S", 0.1)
    monkeypatch.setattr(comparing, "DEADLINE_S", 0.1)
    go_on, calls, late = threading.Event(), [], []
    real = comparing.compare_in_turn

    def hangs_once(driver: Any, connection: Any, turn: Any) -> bool:
        calls.append(turn)
        if len(calls) > 1:
            return real(driver, connection, turn)
        host = survey(driver, connection, with_volumes=True, turn=turn)
        go_on.wait(timeout=20)
        late.append(host_compare(connection=connection, host=host, turn=turn))
        return late[0]

    monkeypatch.setattr(comparing, "compare_in_turn", hangs_once)
    monkeypatch.setattr(comparing, "_deadlines", deadlines.Deadlines())
    lost = Lane.lost
    comparisons: Any = Comparisons(Holding(), lane)  # type: ignore[arg-type]
    type(kvm).objects.filter(pk=kvm.pk).update(last_seen_at="2026-01-01T00:00:00Z", last_error="")
    comparisons._submit_due()
    wait_for(lambda: Comparison.objects.filter(connection=kvm).exclude(error="").exists())
    assert Comparison.objects.get(connection=kvm).error == "The host did not answer in time."
    assert comparisons._under_way == set()
    Comparison.objects.filter(connection=kvm).update(began_at=None)  # due again
    comparisons._submit_due()
    wait_for(lambda: Comparison.objects.get(connection=kvm).ended_at is not None)
    ended = Comparison.objects.get(connection=kvm)
    assert ended.error == ""
    go_on.set()
    wait_for(lambda: bool(late) and Lane.lost == lost)
    assert late == [False]  # what it says now is of long ago
    assert Comparison.objects.get(connection=kvm).ended_at == ended.ended_at


def test_what_the_panel_alone_knows_is_compared_in_turn(lane, db):
    comparisons: Any = Comparisons(Holding(), lane)  # type: ignore[arg-type]
    for _ in range(3):
        comparisons._submit_due()
        wait_for(lambda: comparisons._under_way == set())
    assert Comparison.objects.get(connection=None).written == 1
