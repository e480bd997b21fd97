"""Workers killed at checkpoints, and calls gone wrong, on real QEMU and real LXC: nothing is left on the host.

``make test`` cuts creating and deleting at each checkpoint once; ``make test-full`` cuts everything that works on a
host at each checkpoint both before and after, has each call of creating and deleting go wrong in three ways, and writes
``docs/faults.md``.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, product
from typing import Any

import pytest

from panel.core.models import Customer, Job
from panel.core.operations import registered
from tests.drivers.real_host import RealHost
from tests.faults.deeds import ACTIONS
from tests.faults.fault_table import Case, FaultTable
from tests.faults.killing import LEASE_S, Checkpoint, reached, recover, run_killed
from tests.faults.real_fleet import TYPES, WRONGS, RealDeeds, RealFleet, Saboteur
from tests.faults.truth import leaks, outcome
from tests.simulated_fleet import jobs_run

FULL = bool(os.environ.get("INNKEEPER_TEST_FULL"))
BUILDING = ("guest.create", "guest.delete")
NOT_OF_HOSTS = ("image.build",)
EVERYTHING = [(kind, action) for kind in TYPES for action in ACTIONS if action not in NOT_OF_HOSTS]
pytestmark = pytest.mark.django_db(transaction=True)


def on_hosts(cases: Iterable[tuple[str, str]]) -> pytest.MarkDecorator:
    """Parametrize a test with types of hosts and actions."""
    marked = [pytest.param(kind, action, marks=getattr(pytest.mark, kind)) for kind, action in cases]
    return pytest.mark.parametrize(("host_type", "action"), marked)


of_building = on_hosts(product(TYPES, BUILDING))


@pytest.fixture(scope="module")
def table() -> Iterator[FaultTable]:
    """What came out; written down by a full run that went well."""
    table = FaultTable()
    yield table
    if FULL and table.complete(EVERYTHING, calls_of=product(TYPES, BUILDING)):
        table.write(lease_s=LEASE_S)


@pytest.fixture
def deeds(
    real_host: RealHost, host_type: str, customer: Customer, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> Iterator[RealDeeds]:
    settings.CHECKPOINT_HOOK = "tests.faults.killing.hook"
    fleet = RealFleet(real_host, monkeypatch)
    yield RealDeeds(fleet, customer, monkeypatch, host_type)
    fleet.clear()


def undisturbed(deeds: RealDeeds, action: str) -> dict:
    job = deeds.ask(action)
    reached()
    jobs_run()
    passed = [one for one in reached() if one in both_ways(action)]
    assert passed[: len(both_ways(action))] == both_ways(action)
    ending = outcome(job, deeds.real)
    assert ending["status"] == "success"
    assert leaks(deeds.real, deeds.host) == []
    deeds.away()
    return ending


def both_ways(action: str) -> list[Checkpoint]:
    return [(name, side) for name in registered()[action].checkpoints() for side in ("before", "after")]


def cut(deeds: RealDeeds, action: str, checkpoint: Checkpoint, ending: dict) -> Case:
    """Kill the worker of a job there; another one must finish it as if nothing had been."""
    job = deeds.ask(action)
    run_killed(job, checkpoint)
    began = time.monotonic()
    recover(job)
    seconds = time.monotonic() - began
    assert outcome(job, deeds.real) == ending, checkpoint
    assert leaks(deeds.real, deeds.host) == [], checkpoint
    attempts = Job.objects.get(pk=job.pk).attempt
    assert attempts == (1 if checkpoint == ("close", "after") else 2), checkpoint
    deeds.away()
    return Case(deeds.host_type, action, *checkpoint, seconds)


if FULL:

    @pytest.mark.timeout(3600)
    @on_hosts(EVERYTHING)
    def test_every_checkpoint_of_every_action_both_ways(action, host_type, deeds, table):
        ending = undisturbed(deeds, action)
        covered = [cut(deeds, action, checkpoint, ending) for checkpoint in both_ways(action)]
        assert len(covered) == 2 * (len(registered()[action].steps) + 1)
        table.cuts += covered

    @pytest.mark.timeout(3600)
    @of_building
    def test_each_call_gone_wrong(action, host_type, deeds, table, monkeypatch):
        saboteur = Saboteur(monkeypatch)
        job = deeds.ask(action)
        saboteur.plan()
        jobs_run()
        calls, ending = list(saboteur.calls), outcome(job, deeds.real)
        deeds.away()
        for call in calls:
            for wrong in WRONGS:
                table.calls.append(_sabotaged(deeds, saboteur.plan, action, call, wrong, ending))

else:

    @of_building
    def test_each_checkpoint_of_building_and_deleting_once(action, host_type, deeds, table):
        ending = undisturbed(deeds, action)
        sides = cycle(("before", "after") if host_type == "kvm" else ("after", "before"))
        covered = [cut(deeds, action, (name, next(sides)), ending) for name in registered()[action].checkpoints()]
        assert len(covered) == len(registered()[action].steps) + 1


def _sabotaged(
    deeds: RealDeeds, plan: Callable[..., None], action: str, call: tuple[str, int], wrong: str, ending: dict
) -> Case:
    job = deeds.ask(action)
    plan(call, wrong)
    began = time.monotonic()
    jobs_run()
    seconds = time.monotonic() - began
    plan()
    now = outcome(job, deeds.real)
    assert now["status"] in ("success", "error"), (call, wrong)
    if now["status"] == "success":
        assert now == ending, (call, wrong)
    assert leaks(deeds.real, deeds.host) == [], (call, wrong)
    deeds.away()
    return Case(deeds.host_type, action, f"{call[0]} {call[1]}", wrong, seconds, ended=now["status"])
