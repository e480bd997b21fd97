"""Jobs on hosts that do not answer keep few workers, however many such hosts there are."""

import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.models import HostConnection
from hosts.services.enrolment import SLOTS
from panel.core.actors import SYSTEM
from panel.core.errors import HostTimeoutError
from panel.core.host_slots import FLEET, SILENT, SILENT_AT_ONCE, silence_note, silence_over
from panel.core.jobs import job_claim, job_submit
from panel.core.models import HostSlot, Job, JobStatus, SilentHost
from panel.core.sweeper import jobs_due
from panel.core.tasks import run
from tests.services.guests import order
from tests.services.watching import Looking
from vms.collector import watcher

pytestmark = pytest.mark.django_db(transaction=True)
JOBS_EACH = 6


def host_with_jobs() -> uuid.UUID:
    """Make a host's slots, and queue more jobs on it than it bears."""
    host_id = uuid.uuid4()
    for kind, count in SLOTS.items():
        HostSlot.objects.bulk_create(HostSlot(host_id=host_id, kind=kind, number=number) for number in range(count))
    for _ in range(JOBS_EACH):
        job_submit(action="test", actor=SYSTEM, resources=[("thing", uuid.uuid4())], host_id=host_id)
    return host_id


def claim_all() -> Counter[uuid.UUID | None]:
    """Claim what can be claimed, as any number of workers would; return how many of each host run."""
    for job in Job.objects.filter(status=JobStatus.QUEUED).order_by("?"):
        job_claim(job.pk, worker="w")
    return Counter(Job.objects.filter(status=JobStatus.RUNNING).values_list("host_id", flat=True))


def test_several_silent_hosts_together_keep_two_workers_and_others_all_they_bear():
    silent, healthy = [host_with_jobs() for _ in range(5)], host_with_jobs()
    for host_id in silent:
        silence_note(host_id)
        silence_note(host_id)
    running = claim_all()
    assert running.pop(healthy) == 4
    assert list(running.values()) == [1] * SILENT_AT_ONCE  # of one host never more than one
    # Nobody is sent in vain.
    Job.objects.update(sent_at=timezone.now() - timedelta(hours=1))
    assert not jobs_due().filter(host_id__in=silent).exists()

    silence_over(silent[0])
    assert claim_all()[silent[0]] == 4
    assert jobs_due().filter(host_id=silent[0]).count() == 0


def test_what_a_silent_host_held_is_free_after_its_job(one_host, customer, fleet, monkeypatch):
    monkeypatch.setattr(watcher, "CALL_DEADLINE_S", 0.5)
    job = order(customer).job
    fleet.admin.set_fault(one_host.name, "*", FaultKind.HANG, times=0)
    look = Looking(HostConnection.objects.get(host=one_host, host_type="kvm").pk).look
    look()
    assert SilentHost.objects.get().host_id == one_host.pk
    claimed = job_claim(job.pk, worker="w")
    assert claimed is not None
    assert HostSlot.objects.filter(host_id=FLEET, kind=SILENT, job=claimed).count() == 1
    fleet.admin.clear_faults(one_host.name)
    fleet.admin.release_hangs(one_host.name)
    run(claimed)
    assert Job.objects.get(pk=job.pk).status == JobStatus.SUCCESS
    assert HostSlot.objects.exclude(job=None).count() == 0
    look()
    assert not SilentHost.objects.exists()


def test_a_call_that_takes_too_long_makes_a_host_silent_until_it_is_looked_at(one_host, customer, fleet):
    job = order(customer).job
    fleet.admin.set_fault(one_host.name, "*", FaultKind.ERROR, error=HostTimeoutError)
    claimed = job_claim(job.pk, worker="w")
    assert claimed is not None
    run(claimed)
    assert Job.objects.get(pk=job.pk).status == JobStatus.QUEUED
    assert SilentHost.objects.get().host_id == one_host.pk
    for row in HostConnection.objects.filter(host=one_host):
        Looking(row.pk).look()
    assert not SilentHost.objects.exists()
