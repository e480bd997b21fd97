"""A new root password: where its hash is, for how long, and that it reaches the guest."""

from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.drivers.types import VolumeRef
from hosts.models import Host, HostConnection
from panel.core.models import Customer, Job, JobStatus
from tests import factories
from tests.services.guests import order
from tests.services.watching import Looking
from tests.simulated_fleet import jobs_run
from vms.models import Guest, GuestSecret
from vms.operations.seed import GuestScrubSeed
from vms.services import access, guests

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def staff(db):
    """An administrator."""
    return factories.actor_make(factories.staff_make())


@pytest.fixture
def watcher(one_host: Host) -> Looking:
    """A watcher of the host's KVM side."""
    return Looking(HostConnection.objects.get(host=one_host, host_type="kvm").pk)


def hash_in_seed(fleet, host: Host, guest: Guest) -> bool:
    volume = VolumeRef(host.pools.get().name, f"guest-{guest.pk}-seed.iso")
    return any(b"$6$" in content for content in fleet.admin.seed_of(host.name, volume).files.values())


def starts(fleet, host: Host) -> int:
    """How often the host has started or restarted a guest."""
    calls = fleet.admin.calls(host=host.name)
    return sum(record.call in ("domain_start", "domain_reboot", "domain_reset") for record in calls)


def test_a_password_is_hashed_before_others_wait_for_what_is_taken(one_host, customer, monkeypatch):
    used = []

    def hashed(password: str) -> str:
        used.append(Customer.objects.get(pk=customer.pk).used_guests)
        return f"hash of {len(password)} characters"

    monkeypatch.setattr(guests, "password_hash", hashed)
    made = order(customer, ssh_keys=())
    assert used == [0]
    assert GuestSecret.objects.get(guest=made.guest).root_password_hash == "hash of 20 characters"
    assert Customer.objects.get(pk=customer.pk).used_guests == 1


def test_a_server_made_with_keys_alone_has_nothing_to_scrub(guest, watcher):
    watcher.look()
    watcher.listen()
    watcher.listen()
    guest.refresh_from_db()
    assert guest.booted_at is not None
    assert guest.seed_scrubbed_at is not None
    assert not Job.objects.filter(action="guest.scrub-seed").exists()


@pytest.mark.parametrize("call", ["seed_write", "domain_reboot"])
def test_a_failed_reset_forgets_the_password_everywhere(guest, one_host, fleet, watcher, staff, call):
    watcher.look()
    watcher.listen()
    fleet.admin.set_fault(one_host.name, call, kind=FaultKind.ERROR)
    access.guest_reset_root_password(actor=staff, guest=guest, root_password=None)
    assert Guest.objects.get().password_set is True
    (job,) = jobs_run()
    assert job.status == JobStatus.ERROR
    guest.refresh_from_db()
    assert (GuestSecret.objects.count(), guest.password_set, guest.seed_scrubbed_at) == (0, False, None)

    watcher.listen()
    (scrub,) = jobs_run()
    assert (scrub.action, scrub.status) == ("guest.scrub-seed", JobStatus.SUCCESS)
    assert not hash_in_seed(fleet, one_host, guest)


def test_a_paused_server_is_restarted_to_read_its_new_password(guest, one_host, fleet, watcher, staff):
    fleet.admin.guest_disk_full(one_host.name, guest.pk)
    watcher.look()
    before = starts(fleet, one_host)
    access.guest_reset_root_password(actor=staff, guest=guest, root_password=None)
    (job,) = jobs_run()
    guest.refresh_from_db()
    assert (job.status, guest.power_state) == (JobStatus.SUCCESS, "running")
    assert starts(fleet, one_host) == before + 1
    assert hash_in_seed(fleet, one_host, guest)


def test_a_server_that_is_off_stays_off(guest, one_host, fleet, staff):
    Guest.objects.update(power_state="shutoff")
    fleet.admin.guest_poweroff(one_host.name, guest.pk)
    before = starts(fleet, one_host)
    access.guest_reset_root_password(actor=staff, guest=guest, root_password=None)
    (job,) = jobs_run()
    guest.refresh_from_db()
    assert (job.status, guest.power_state, starts(fleet, one_host)) == (JobStatus.SUCCESS, "shutoff", before)
    assert hash_in_seed(fleet, one_host, guest)


@pytest.mark.parametrize("waiting", ["reset", "rebuild"])
def test_a_scrub_leaves_the_seed_to_what_waits_behind_it(one_host, customer, fleet, staff, monkeypatch, waiting):
    made = order(customer, ssh_keys=()).guest
    jobs_run()
    scrub = GuestScrubSeed(factories.job_make(guest_id=made.pk, action="guest.scrub-seed"))
    monkeypatch.setattr(scrub, "verify", lambda: None)
    if waiting == "reset":
        access.guest_reset_root_password(actor=staff, guest=made, root_password=None)
    else:
        access.guest_rebuild(actor=staff, guest=made, ssh_keys=(factories.ED25519,))
    scrub.prepare()
    scrub.ensure_scrubbed()
    scrub.succeeded()

    made.refresh_from_db()
    assert made.seed_scrubbed_at is None
    assert hash_in_seed(fleet, one_host, made)


def test_a_rebuild_behind_a_scrub_has_its_own_seed_scrubbed(one_host, customer, fleet, watcher, staff):
    made = order(customer, ssh_keys=()).guest
    jobs_run()
    access.guest_rebuild(actor=staff, guest=made, want_password=True)
    Guest.objects.update(seed_scrubbed_at=timezone.now())  # what the scrub before it wrote meanwhile
    jobs_run()
    assert Guest.objects.get().seed_scrubbed_at is None
    assert hash_in_seed(fleet, one_host, made)


def test_a_server_that_never_says_it_is_ready_is_scrubbed_after_an_hour(one_host, customer, fleet, watcher):
    made = order(customer, ssh_keys=()).guest
    jobs_run()
    watcher.look()
    Guest.objects.update(booted_at=None)
    fleet.admin.set_fault(one_host.name, "console_output", kind=FaultKind.ERROR, times=0)
    watcher.listen()
    assert jobs_run() == []

    Job.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    watcher.listen()
    (scrub,) = jobs_run()
    assert (scrub.action, scrub.status) == ("guest.scrub-seed", JobStatus.SUCCESS)
    assert not hash_in_seed(fleet, one_host, made)
