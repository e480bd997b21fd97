"""Whatever a job does and wherever its worker dies: the job ends, as if nothing had been, and nothing is left over."""

import pytest

from hosts.drivers.simulated import FaultKind
from panel.core.models import Job
from panel.core.operations import Operation, registered
from tests.faults.deeds import DEEDS, Deeds
from tests.faults.killing import Checkpoint, reached, recover, run_killed
from tests.faults.truth import leaks, outcome
from tests.simulated_fleet import jobs_run

pytestmark = pytest.mark.django_db(transaction=True)


def checkpoints(action: str) -> list[Checkpoint]:
    """Return all places where an attempt of this action may be cut."""
    return [(name, side) for name in registered()[action].checkpoints() for side in ("before", "after")]


@pytest.fixture(autouse=True)
def hooked(settings) -> None:
    settings.CHECKPOINT_HOOK = "tests.faults.killing.hook"


def undisturbed(deeds: Deeds, action: str) -> dict:
    """Return how the action ends when nobody is killed; it passes each registered checkpoint."""
    job = deeds.ask(action)
    reached()
    jobs_run()
    passed = reached()
    assert [one for one in passed if one in checkpoints(action)][: len(checkpoints(action))] == checkpoints(action)
    return outcome(job, deeds.fleet)


@pytest.mark.parametrize(("action", "host_type"), DEEDS)
def test_a_job_whose_worker_is_killed_ends_as_if_it_had_not_been(action, host_type, deeds):
    deeds.host_type = host_type
    ending = undisturbed(deeds, action)
    assert ending["status"] == "success"
    killed = 0
    for checkpoint in checkpoints(action):
        job = deeds.ask(action)
        run_killed(job, checkpoint)
        recover(job)
        assert outcome(job, deeds.fleet) == ending, checkpoint
        assert leaks(deeds.fleet, deeds.host) == [], checkpoint
        assert Job.objects.get(pk=job.pk).attempt == (1 if checkpoint == ("close", "after") else 2), checkpoint
        killed += 1
    assert killed == 2 * (len(registered()[action].steps) + 1)


def undoes(action: str) -> bool:
    """True for an action that takes back what it made."""
    operation = registered()[action]
    return operation.undo is Operation.undo and any(name.startswith("undo_") for name in dir(operation))


@pytest.mark.parametrize(("action", "host_type"), [deed for deed in DEEDS if undoes(str(deed.values[0]))])
def test_a_job_whose_worker_is_killed_while_it_takes_back_what_it_made_leaves_nothing(action, host_type, deeds):
    deeds.host_type = host_type
    deeds.ask(action)
    reached()
    jobs_run()
    makes = [record.call for record in deeds.fleet.admin.calls(host=deeds.host.name) if "info" not in record.call]
    deeds.fleet.admin.set_fault(deeds.host.name, makes[-1], FaultKind.ERROR, times=0)
    job = deeds.ask(action)
    reached()
    jobs_run()
    undoing = [checkpoint for checkpoint in reached() if checkpoint[0].startswith("undo ")]
    ending = outcome(job, deeds.fleet)
    assert ending["status"] == "error"
    assert {name.removeprefix("undo ") for name, _ in undoing} == {
        name.removeprefix("undo_") for name in dir(registered()[action]) if name.startswith("undo_")
    }
    for checkpoint in dict.fromkeys(undoing):
        job = deeds.ask(action)
        run_killed(job, checkpoint)
        recover(job)
        assert outcome(job, deeds.fleet) == ending, checkpoint
        assert leaks(deeds.fleet, deeds.host) == [], checkpoint
