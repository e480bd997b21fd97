"""What the collector writes down, and what it never does."""

from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.models import Host, HostConnection
from hosts.registry import driver_for
from panel.core.models import Job
from tests.services.test_guest_path import guest, order  # noqa: F401 - fixtures
from tests.simulated_fleet import jobs_run
from vms.collector import HostWatcher
from vms.models import Guest
from vms.selectors import guest_status
from vms.services import observation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def watcher(one_host: Host) -> HostWatcher:
    """A watcher of the host's KVM side."""
    return HostWatcher(HostConnection.objects.get(host=one_host, host_type="kvm").pk)


def test_poweroff_inside_is_seen_and_wanted_off_after_a_minute(guest, one_host, fleet, watcher):  # noqa: F811
    fleet.admin.guest_poweroff(one_host.name, guest.pk)
    watcher.look()
    guest.refresh_from_db()
    assert (guest.power_state, guest.power_wanted) == ("shutoff", "on")
    assert guest_status(guest, None, []) == ("off", "The server powered off by itself.")
    Guest.objects.update(off_since=timezone.now() - timedelta(seconds=61))
    watcher.look()
    guest.refresh_from_db()
    assert guest.power_wanted == "off"


def test_guest_that_is_not_listed_becomes_unknown_and_is_not_lost(guest, one_host, fleet, watcher):  # noqa: F811
    fleet.admin.drop_domain(one_host.name, guest.pk)
    watcher.look()
    guest.refresh_from_db()
    assert (guest.power_state, guest.lifecycle, guest.power_wanted) == ("unknown", "active", "on")


def test_silent_host_makes_its_guests_unknown_with_the_time_they_were_seen(guest, one_host, fleet, watcher):  # noqa: F811
    watcher.look()
    seen = Guest.objects.get().observed_at
    fleet.admin.set_reachable(one_host.name, False)
    watcher.look()
    guest.refresh_from_db()
    assert (guest.power_state, guest.observed_at) == ("unknown", seen)
    assert guest_status(guest, None, [])[1] == f"The host does not answer; last seen {seen:%H:%M} UTC."
    assert HostConnection.objects.get(host=one_host, host_type="kvm").last_error
    fleet.admin.set_reachable(one_host.name, True)
    watcher.look()
    guest.refresh_from_db()
    assert guest.power_state == "running"


def test_full_disk_says_so(guest, one_host, fleet, watcher):  # noqa: F811
    fleet.admin.guest_disk_full(one_host.name, guest.pk)
    watcher.look()
    guest.refresh_from_db()
    status, why = guest_status(guest, None, [])
    assert status == "paused"
    assert why == "Paused because the host's storage is full. When there is room again, start it to let it go on."


def test_older_listing_does_not_overwrite_what_a_job_saw_later(guest, one_host):  # noqa: F811
    info = driver_for(one_host.pk, "kvm").domain_list()
    asked_at = timezone.now() - timedelta(seconds=5)
    Guest.objects.update(power_state="shutoff", observed_at=timezone.now())
    observation.observe_host(host_id=one_host.pk, host_type="kvm", domains=info, asked_at=asked_at, rebooted=False)
    assert Guest.objects.get().power_state == "shutoff"


def test_console_gives_host_keys_and_the_seed_is_scrubbed(one_host, customer, fleet, watcher):
    made = order(customer, ssh_keys=())
    jobs_run()
    watcher.look()
    watcher.listen()
    found = Guest.objects.get(pk=made.guest.pk)
    assert found.booted_at is not None
    assert {key["type"] for key in found.host_keys} == {"ED25519", "RSA"} or len(found.host_keys) >= 1
    assert all(key["fingerprint"].startswith("SHA256:") for key in found.host_keys)
    watcher.listen()
    (job,) = jobs_run()
    assert (job.action, job.status) == ("guest.scrub-seed", "success")
    files = fleet.admin.seed_of(one_host.name, _seed(one_host, found)).files
    assert all(b"$6$" not in content for content in files.values())
    found.refresh_from_db()
    assert found.seed_scrubbed_at is not None
    watcher.listen()
    assert not Job.objects.filter(status="queued").exists()


def _seed(host: Host, guest: Guest):  # noqa: F811
    from hosts.drivers.types import VolumeRef

    return VolumeRef(host.pools.get().name, f"guest-{guest.pk}-seed.iso")


def test_load_becomes_percent_from_two_readings(one_host, watcher):
    watcher.look()
    watcher.look()
    one_host.refresh_from_db()
    assert one_host.load_memory_percent is not None
    assert one_host.last_seen_at is not None
