"""Random requests with random faults of hosts and workers: when all has come to rest, nothing is wrong."""

import os
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

import hosts.calls
from billing.models import Subscription, UsageInterval
from hosts.drivers.simulated import FaultKind
from hosts.models import HostConnection, IPAddress
from panel.core import tasks
from panel.core.jobs import job_claim
from panel.core.models import AuditEntry, Customer, Job, JobStatus
from panel.core.models.jobs import ACTIVE
from panel.core.sweeper import sweep
from tests import factories, stock
from tests.client import ApiUser
from tests.faults.truth import leaks
from tests.services.watching import Looking
from tests.simulated_fleet import Fleet, jobs_run
from vms.models import Guest

pytestmark = pytest.mark.django_db(transaction=True)
FULL = bool(os.environ.get("INNKEEPER_TEST_FULL"))
CALL_DEADLINE_S = 0.3
REST_WITHIN_S = 60.0
QUOTA = 4
FAULTS = st.sampled_from(
    [FaultKind.ERROR, FaultKind.ERROR_AFTER, FaultKind.HALF_DONE, FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER,
     FaultKind.NO_ANSWER]
)  # fmt: skip
CALLS = st.sampled_from(
    ["*", "volume_create", "volume_clone", "seed_write", "domain_define", "domain_start", "domain_destroy",
     "domain_undefine", "volume_delete", "domain_info", "volume_upload"]
)  # fmt: skip
NUMBERS, WHO = st.integers(0, 9), st.integers(0, 1)
PLANS = st.sampled_from(["small", "large"])
VERBS = st.sampled_from(["start", "shutdown", "stop", "reboot", "reset", "rebuild"])


class Died(BaseException):
    """The worker is gone in the middle of a step."""


class Fate:
    """When the next worker dies: at its ``left``-th checkpoint; None: it lives."""

    left: int | None = None


def hook(_action: str, _name: str, _side: str) -> None:
    """Die at the checkpoint that was chosen."""
    if Fate.left is not None:
        Fate.left -= 1
        if Fate.left < 0:
            Fate.left = None
            raise Died


class House(RuleBasedStateMachine):
    """Two hosts, two customers with a quota, a billing system; ``server`` and ``cache`` are set by the test."""

    fleet: Fleet

    @initialize()
    def open(self) -> None:
        call_command("flush", verbosity=0, interactive=False)
        Fate.left = None
        self.hosts = [self.fleet.host(limit_vcpus=5), self.fleet.host(limit_vcpus=5)]
        self.network = self.fleet.network(*self.hosts, cidr_v4="10.77.0.0/28")
        self.fleet.image(on=(self.hosts[0],))
        stock.plan_make(slug="small", vcpus=1, memory_mib=256, disk_gib=2)
        stock.plan_make(slug="large", vcpus=2, memory_mib=512, disk_gib=3)
        self.admin = ApiUser(factories.token_make(factories.staff_make()).value)
        client = factories.client_make()
        self.shop = ApiUser(factories.token_make(client).value)
        named = [{"client": client, "external_id": f"c-{number}"} for number in (0, 1)]
        self.customers = [factories.customer_make(quota_guests=QUOTA, **one) for one in named]
        self.owners = [ApiUser(factories.token_make(factories.member_make(one)).value) for one in self.customers]
        self.accepted: list[str] = []

    # ── what people and machines ask for ────────────────────────────────────────────────────────────
    @rule(who=WHO, kind=st.sampled_from(["kvm", "lxc"]), plan=PLANS, key=NUMBERS)
    def order(self, who: int, kind: str, plan: str, key: int) -> None:
        body = {"name": f"web-{key}", "host_type": kind, "plan": plan, "image": "micro"}
        self.take(self.owners[who].post("/guests", body, headers={"Idempotency-Key": f"{kind}-{plan}-{key}"}))

    @rule(who=WHO, number=st.integers(0, 3), plan=PLANS)
    def subscribe(self, who: int, number: int, plan: str) -> None:
        guest = {"name": f"shop-{number}", "host_type": "lxc", "image": "micro"}
        order = {"customer_external_id": f"c-{who}", "plan": plan, "external_id": f"o-{who}-{number}", "guest": guest}
        self.take(self.shop.post("/subscriptions", order))

    @precondition(lambda self: Guest.objects.filter(deleted_at=None).exists())
    @rule(which=NUMBERS, verb=VERBS)
    def act(self, which: int, verb: str) -> None:
        guest = self.guest(which)
        self.take(self.owner_of(guest).post(f"/guests/{guest.pk}/actions/{verb}"))

    @precondition(lambda self: Guest.objects.filter(deleted_at=None).exists())
    @rule(who=WHO, verb=st.sampled_from(["start", "stop"]))
    def act_on_all(self, who: int, verb: str) -> None:
        guests = Guest.objects.filter(customer=self.customers[who], deleted_at=None).values_list("pk", flat=True)
        if guests:
            self.take(self.owners[who].post(f"/guests/actions/{verb}", {"guests": [str(pk) for pk in guests]}))

    @precondition(lambda self: Guest.objects.filter(deleted_at=None).exists())
    @rule(which=NUMBERS, plan=PLANS)
    def resize(self, which: int, plan: str) -> None:
        guest = self.guest(which)
        self.take(self.owner_of(guest).post(f"/guests/{guest.pk}/actions/resize", {"plan": plan}))

    @precondition(lambda self: Guest.objects.filter(deleted_at=None).exists())
    @rule(which=NUMBERS)
    def delete(self, which: int) -> None:
        guest = self.guest(which)
        self.take(self.owner_of(guest).call("DELETE", f"/guests/{guest.pk}"))

    @precondition(lambda self: Subscription.objects.exists())
    @rule(which=NUMBERS, verb=st.sampled_from(["suspend", "unsuspend", "terminate", "change-plan"]))
    def bill(self, which: int, verb: str) -> None:
        rows = list(Subscription.objects.order_by("created_at"))
        body = {"suspend": {"reason": "unpaid"}, "change-plan": {"plan": "large"}}.get(verb, {})
        self.take(self.shop.post(f"/subscriptions/{rows[which % len(rows)].pk}/actions/{verb}", body))

    @precondition(lambda self: Job.objects.filter(status__in=ACTIVE).exists())
    @rule(which=NUMBERS)
    def cancel(self, which: int) -> None:
        jobs = list(Job.objects.filter(status__in=ACTIVE).order_by("created_at"))
        self.take(self.admin.post(f"/jobs/{jobs[which % len(jobs)].pk}/actions/cancel"))

    @precondition(lambda self: Job.objects.filter(status__in=[JobStatus.ERROR, JobStatus.CANCELLED]).exists())
    @rule(which=NUMBERS)
    def retry(self, which: int) -> None:
        jobs = list(Job.objects.filter(status__in=[JobStatus.ERROR, JobStatus.CANCELLED]).order_by("created_at"))
        self.take(self.admin.post(f"/jobs/{jobs[which % len(jobs)].pk}/actions/retry"))

    # ── what happens to it ──────────────────────────────────────────────────────────────────────────
    @rule(count=st.integers(1, 3))
    def work(self, count: int) -> None:
        queued = Job.objects.filter(status=JobStatus.QUEUED).order_by("created_at")
        for job_id in list(queued.values_list("pk", flat=True)[:count]):
            self.run(job_id)

    @rule(at=st.integers(0, 12))
    def work_and_die(self, at: int) -> None:
        job = Job.objects.filter(status=JobStatus.QUEUED).order_by("created_at").first()
        if job is not None:
            Fate.left = at
            self.run(job.pk)
            Fate.left = None

    @rule()
    def pass_time(self) -> None:
        Job.objects.filter(status=JobStatus.RUNNING, lease_until__isnull=False).update(lease_until=self.past)
        Job.objects.filter(status=JobStatus.QUEUED).update(run_after=None)
        sweep()

    @rule(where=st.integers(0, 1), call=CALLS, kind=FAULTS, nth=st.integers(1, 4))
    def fault(self, where: int, call: str, kind: FaultKind, nth: int) -> None:
        self.fleet.admin.set_fault(self.hosts[where].name, call, kind, nth=nth)

    # ── helpers ─────────────────────────────────────────────────────────────────────────────────────
    past = factories.timezone.now().replace(year=2020)

    def guest(self, which: int) -> Guest:
        rows = list(Guest.objects.filter(deleted_at=None).order_by("created_at", "pk"))
        return rows[which % len(rows)]

    def owner_of(self, guest: Guest) -> ApiUser:
        return self.owners[[one.pk for one in self.customers].index(guest.customer_id)]

    def take(self, answer: Any) -> None:
        """Remember what was accepted; whatever is asked, nothing may go wrong on our side."""
        assert answer.status_code < 500, answer.content
        if answer.status_code == 202:
            self.accepted.append(answer.json()["job"]["id"])

    def run(self, job_id: Any) -> None:
        job = job_claim(job_id, worker="test")
        if job is not None:
            with suppress(Died):
                tasks.run(job)

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────
    def teardown(self) -> None:
        if not hasattr(self, "accepted"):
            return
        for host in self.hosts:
            self.fleet.admin.clear_faults(host.name)
        self.rest()
        # What failed says so; it can be deleted, and then nothing of it is left.
        for guest in Guest.objects.filter(lifecycle__in=["error", "deleting"]):
            assert guest.error_message or guest.lifecycle == "deleting", guest
            self.take(self.admin.call("DELETE", f"/guests/{guest.pk}"))
        self.rest()
        self.check()
        for host in self.hosts:
            self.fleet.admin.delete_host(host.name)

    def rest(self) -> None:
        """Let time pass until all jobs are final (I6)."""
        deadline = time.monotonic() + REST_WITHIN_S
        while Job.objects.filter(status__in=ACTIVE).exists():
            assert time.monotonic() < deadline, self.unfinished()
            self.pass_time()
            for row in HostConnection.objects.all():
                Looking(row.pk).look()  # as a collector does: a host that was silent is seen to answer
            # First what the others wait for: here time passes for all at once, and they would take its host's slots.
            copies = Job.objects.filter(status=JobStatus.QUEUED, action="image.copy")
            for job_id in list(copies.values_list("pk", flat=True)):
                self.run(job_id)
            jobs_run()

    def unfinished(self) -> list[Any]:
        rows = Job.objects.filter(status__in=ACTIVE)
        return list(rows.values("action", "status", "retries", "slots__kind", "resources__slot", "attempts__outcome"))

    def check(self) -> None:
        states = [self.fleet.admin.dump_host(host.name) for host in self.hosts]
        domains = [domain for state in states for domain in state.domains]
        assert len(domains) == len(set(domains))  # I1: a guest is on one host
        for host in self.hosts:
            assert leaks(self.fleet, host) == []  # I2: sums; I4: nothing is left over
        specs = [record.spec for state in states for record in state.domains.values() if record.spec]
        macs = [nic.mac for spec in specs for nic in spec.nics]
        addresses = [one.address for spec in specs for nic in spec.nics for one in nic.addresses]
        assert [what for what, times in Counter([*macs, *addresses]).items() if times > 1] == []  # I3
        taken = IPAddress.objects.filter(owner_id__isnull=False).values_list("address", flat=True)
        assert set(addresses) <= set(taken)
        self.check_books()
        for job_id in self.accepted:  # none of them was lost
            assert Job.objects.get(pk=job_id).is_final
        asked = set(Job.objects.exclude(request_id="").values_list("request_id", flat=True))
        told = set(AuditEntry.objects.filter(request_id__in=asked).values_list("request_id", flat=True))
        assert asked <= told  # I7
        self.check_walls()

    def check_books(self) -> None:
        """I5: what is charged is what was had."""
        for subscription in Subscription.objects.select_related("guest"):
            ended = subscription.status == "terminated"
            intervals = list(UsageInterval.objects.filter(subscription=subscription).order_by("starts_at", "ends_at"))
            assert [one.ends_at is None for one in intervals] == [False] * (len(intervals) - 1) + [not ended]
            assert all(a.ends_at == b.starts_at for a, b in pairwise(intervals))
            assert intervals[-1].plan_id == subscription.plan_id
            assert subscription.guest
            assert (subscription.guest.lifecycle == "deleted") == ended
        for customer in Customer.objects.filter(pk__in=[one.pk for one in self.customers]):
            assert customer.used_guests == Guest.objects.filter(customer=customer, deleted_at=None).count() <= QUOTA

    def check_walls(self) -> None:
        """I8: nobody sees what is another's."""
        for mine, other in ((0, 1), (1, 0)):
            for path in ("/guests", "/jobs", "/subscriptions"):
                rows = self.owners[mine].get(path, limit=1000).json()["results"]
                assert {row["customer"] for row in rows} <= {str(self.customers[mine].pk)}
            for guest in Guest.objects.filter(customer=self.customers[other]):
                assert self.owners[mine].get(f"/guests/{guest.pk}").status_code == 404


@pytest.mark.timeout(3600 if FULL else 600)
def test_whatever_is_asked_and_whatever_fails_nothing_is_lost_doubled_or_left_over(fleet, settings_of, monkeypatch):
    House.fleet = fleet
    within = hosts.calls.call_within
    monkeypatch.setattr(
        hosts.calls, "call_within", lambda after_s, call, **more: within(min(after_s, CALL_DEADLINE_S), call, **more)
    )
    run_state_machine_as_test(
        House,
        settings=settings(
            max_examples=150 if FULL else 8,
            stateful_step_count=50 if FULL else 25,
            deadline=None,
            derandomize=not FULL,
            phases=[Phase.generate, Phase.shrink] if FULL else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def settings_of(settings):
    """Django's settings with the hook; hypothesis has a name of the same word."""
    settings.CHECKPOINT_HOOK = "tests.faults.test_invariants.hook"
    settings.API_RATE_LIMIT_PER_MINUTE = 1_000_000
    return settings
