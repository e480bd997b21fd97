"""A call that worked and did not say so, one that was cut off, one that failed: the job ends and says what is."""

from collections import Counter

import pytest

import hosts.calls
from hosts.drivers.simulated import FaultKind
from panel.core.models import Job
from tests.faults.deeds import DEEDS, Deeds
from tests.faults.truth import leaks, outcome
from tests.simulated_fleet import jobs_run
from vms.models import Guest

pytestmark = pytest.mark.django_db(transaction=True)
DEADLINE_S = 0.5
WRONGS = (FaultKind.NO_ANSWER, FaultKind.CUT_AFTER, FaultKind.ERROR)


@pytest.fixture(autouse=True)
def short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    within = hosts.calls.call_within
    monkeypatch.setattr(
        hosts.calls, "call_within", lambda deadline_s, call, **more: within(min(deadline_s, DEADLINE_S), call, **more)
    )


def calls_of(deeds: Deeds, action: str) -> tuple[list[tuple[str, int]], dict]:
    """Return what the action asks of the host when all goes well, each call with its number, and how it ends."""
    job = deeds.ask(action)
    before = deeds.fleet.admin.calls(host=deeds.host.name)[-1].sequence
    jobs_run()
    count: Counter[str] = Counter()
    calls = []
    for record in deeds.fleet.admin.calls(host=deeds.host.name, after=before):
        count[record.call] += 1
        calls.append((record.call, count[record.call]))
    return calls, outcome(job, deeds.fleet)


def lies(job: Job, deeds: Deeds) -> list[str]:
    """Return what the panel says of the job's guest and is not so on its host."""
    found = []
    for resource in job.resources.filter(type="guest"):
        guest = Guest.objects.filter(pk=resource.resource_id).first()
        if guest is None:
            continue
        domain = deeds.fleet.admin.dump_host(deeds.host.name).domains.get(guest.pk)
        if guest.lifecycle == "active" and guest.power_state not in ("unknown", domain and str(domain.state)):
            found.append(f"said to be {guest.power_state}, is {domain and domain.state}")
    return found


@pytest.mark.parametrize(("action", "host_type"), DEEDS)
def test_a_job_with_one_call_gone_wrong_ends_and_says_what_is(action, host_type, deeds):
    deeds.host_type = host_type
    calls, ending = calls_of(deeds, action)
    for call, number in calls:
        for wrong in WRONGS:
            job = deeds.ask(action)
            deeds.fleet.admin.set_fault(deeds.host.name, call, wrong, nth=number)
            jobs_run()
            deeds.fleet.admin.clear_faults(deeds.host.name)
            now = outcome(job, deeds.fleet)
            where = (call, number, wrong, now["error"], job.error_detail)
            assert now["status"] in ("success", "error"), where
            if now["status"] == "success":
                assert now == ending, where
            assert lies(job, deeds) == [], where
            assert leaks(deeds.fleet, deeds.host) == [], where
