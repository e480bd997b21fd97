"""What the collector writes down, and what it never does."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.drivers.types import HostLoad, PoolInfo
from hosts.models import Host, HostConnection, StoragePool
from hosts.models.hosts import SEEN_LATELY
from hosts.registry import driver_for
from hosts.services import observation as hosts_observation
from panel.core.models import Job
from tests.services.guests import act, order
from tests.services.watching import Looking
from tests.simulated_fleet import jobs_run
from vms.models import Guest
from vms.selectors import guest_status
from vms.services import observation
from vms.states import GuestAction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def watcher(one_host: Host) -> Looking:
    """A watcher of the host's KVM side."""
    return Looking(HostConnection.objects.get(host=one_host, host_type="kvm").pk)


def test_poweroff_inside_is_seen_and_wanted_off_after_a_minute(guest, one_host, fleet, watcher):
    watcher.look()
    fleet.admin.guest_poweroff(one_host.name, guest.pk)
    watcher.look()
    guest.refresh_from_db()
    assert (guest.power_state, guest.power_wanted) == ("shutoff", "on")
    assert guest_status(guest, None, []) == (
        "off",
        "It should run: it powered off from inside, was stopped on its host, or could not be started.",
    )
    Guest.objects.update(off_since=timezone.now() - timedelta(seconds=61))
    watcher.look()
    guest.refresh_from_db()
    assert guest.power_wanted == "off"


def test_what_a_job_started_and_is_off_before_the_first_look_is_wanted_off_too(guest, one_host, fleet, watcher):
    watcher.look()
    Guest.objects.update(seen_boot_id="the one before")
    act(guest, GuestAction.RESET)
    fleet.admin.guest_poweroff(one_host.name, guest.pk)
    watcher.look()
    Guest.objects.update(off_since=timezone.now() - timedelta(seconds=61))
    watcher.look()
    guest.refresh_from_db()
    assert (guest.power_state, guest.power_wanted) == ("shutoff", "off")


def test_a_host_whose_boot_could_not_be_read_once_is_known_by_the_last(guest, one_host, watcher):
    watcher.look()
    boot_id = Guest.objects.get().seen_boot_id
    listed = driver_for(one_host.pk, "kvm").domain_list()
    observation.observe_host(host_id=one_host.pk, host_type="kvm", domains=listed, asked_at=timezone.now(), boot_id="")
    assert Guest.objects.get().seen_boot_id == boot_id != ""


def test_restart_of_the_host_is_no_wish_to_be_off(guest, one_host, fleet, watcher):
    watcher.look()
    fleet.admin.reboot_host(one_host.name)
    for _ in range(3):
        watcher.look()
        Guest.objects.filter(off_since__isnull=False).update(off_since=timezone.now() - timedelta(seconds=61))
    guest.refresh_from_db()
    assert (guest.power_state, guest.power_wanted, guest.off_since) == ("shutoff", "on", None)
    one_host.refresh_from_db()
    assert one_host.boot_id == fleet.admin.dump_host(one_host.name).boot_id
    # Also for a collector that was started since.
    Looking(HostConnection.objects.get(host=one_host, host_type="kvm").pk).look()
    guest.refresh_from_db()
    assert (guest.power_wanted, guest.off_since) == ("on", None)


def test_restart_of_the_host_within_the_minute_forgets_that_it_was_off(guest, one_host, fleet, watcher):
    watcher.look()
    fleet.admin.guest_poweroff(one_host.name, guest.pk)
    watcher.look()
    assert Guest.objects.get().off_since is not None
    fleet.admin.reboot_host(one_host.name)
    Guest.objects.update(off_since=timezone.now() - timedelta(seconds=61))
    watcher.look()
    guest.refresh_from_db()
    assert (guest.power_wanted, guest.off_since) == ("on", None)


def test_what_only_the_collector_notes_does_not_raise_the_version(guest, watcher):
    watcher.look()
    Guest.objects.update(seen_boot_id="")
    before = Guest.objects.get()
    watcher.look()
    after = Guest.objects.get()
    assert after.seen_boot_id != ""
    assert after.observed_at != before.observed_at
    assert after.version == before.version


@pytest.mark.parametrize("call", ["load", "pool_info", "boot_id"])
def test_host_that_lists_its_guests_is_not_silent(guest, one_host, fleet, watcher, call):
    fleet.admin.set_fault(one_host.name, call, kind=FaultKind.ERROR, times=9)
    watcher.look()
    guest.refresh_from_db()
    assert (guest.power_state, HostConnection.objects.get(host=one_host, host_type="kvm").last_error) == ("running", "")


def test_guest_that_is_not_listed_becomes_unknown_and_is_not_lost(guest, one_host, fleet, watcher):
    fleet.admin.drop_domain(one_host.name, guest.pk)
    watcher.look()
    guest.refresh_from_db()
    assert (guest.power_state, guest.lifecycle, guest.power_wanted) == ("unknown", "active", "on")


def test_why_a_guest_is_unknown_is_its_host_or_that_it_is_gone(guest, one_host, fleet, watcher, admin_api):
    watcher.look()
    seen = f"last seen {Guest.objects.get().observed_at:%H:%M} UTC."

    def said() -> list[tuple[str, str]]:
        rows = [admin_api.get(f"/guests/{guest.pk}").json(), *admin_api.get("/guests").json()["results"]]
        return [(row["status"], row["status_reason"]) for row in rows]

    fleet.admin.drop_domain(one_host.name, guest.pk)
    watcher.look()
    assert said() == [("unknown", f"The host answers and does not have it; {seen}")] * 2
    fleet.admin.set_reachable(one_host.name, False)
    watcher.look()
    assert said() == [("unknown", f"The host does not answer for it; {seen}")] * 2
    fleet.admin.set_reachable(one_host.name, True)
    watcher.look()
    assert said() == [("unknown", f"The host answers and does not have it; {seen}")] * 2
    HostConnection.objects.update(last_seen_at=timezone.now() - timedelta(minutes=2))  # nobody asks it any more
    assert said() == [("unknown", f"The host does not answer for it; {seen}")] * 2


def test_silent_host_makes_its_guests_unknown_with_the_time_they_were_seen(guest, one_host, fleet, watcher):
    watcher.look()
    seen = Guest.objects.get().observed_at
    fleet.admin.set_reachable(one_host.name, False)
    watcher.look()
    guest.refresh_from_db()
    assert (guest.power_state, guest.observed_at) == ("unknown", seen)
    assert guest_status(guest, None, [])[1] == f"The host does not answer for it; last seen {seen:%H:%M} UTC."
    assert HostConnection.objects.get(host=one_host, host_type="kvm").last_error
    fleet.admin.set_reachable(one_host.name, True)
    watcher.look()
    guest.refresh_from_db()
    assert guest.power_state == "running"


def test_full_disk_says_so(guest, one_host, fleet, watcher):
    fleet.admin.guest_disk_full(one_host.name, guest.pk)
    watcher.look()
    guest.refresh_from_db()
    status, why = guest_status(guest, None, [])
    assert status == "paused"
    assert why == "Paused because the host's storage is full. When there is room again, start it to let it go on."


def test_older_listing_does_not_overwrite_what_a_job_saw_later(guest, one_host):
    info = driver_for(one_host.pk, "kvm").domain_list()
    asked_at = timezone.now() - timedelta(seconds=5)
    Guest.objects.update(power_state="shutoff", observed_at=timezone.now())
    observation.observe_host(host_id=one_host.pk, host_type="kvm", domains=info, asked_at=asked_at, boot_id="b")
    assert Guest.objects.get().power_state == "shutoff"


def test_older_look_takes_nothing_back(guest, one_host):
    info = driver_for(one_host.pk, "kvm").domain_list()
    later = timezone.now()
    Guest.objects.update(power_state="running", observed_at=later)
    asked = {"host_id": one_host.pk, "host_type": "kvm", "asked_at": later - timedelta(seconds=5)}
    observation.observe_host(**asked, domains=info, boot_id="b")
    observation.host_silent(**asked)
    found = Guest.objects.get()
    assert (found.power_state, found.observed_at) == ("running", later)
    observation.host_silent(**asked | {"asked_at": later + timedelta(seconds=1)})
    assert Guest.objects.get().power_state == "unknown"


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


def _seed(host: Host, guest: Guest):
    from hosts.drivers.types import VolumeRef

    return VolumeRef(host.pools.get().name, f"guest-{guest.pk}-seed.iso")


def test_scrub_that_failed_is_tried_again_later(one_host, customer, fleet, watcher):
    made = order(customer, ssh_keys=())
    jobs_run()
    watcher.look()
    watcher.listen()
    fleet.admin.set_fault(one_host.name, "seed_write", kind=FaultKind.ERROR)
    watcher.listen()
    (job,) = jobs_run()
    assert (job.action, job.status) == ("guest.scrub-seed", "error")
    watcher.listen()
    assert jobs_run() == []
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(minutes=6))
    watcher.listen()
    assert [again.status for again in jobs_run()] == ["success"]
    assert Guest.objects.get(pk=made.guest.pk).seed_scrubbed_at is not None


def test_console_is_read_often_for_minutes_and_then_now_and_then(guest, one_host, fleet, watcher):
    def reads(look) -> int:
        fleet.admin.clear_calls()
        look()
        return len(fleet.admin.calls(host=one_host.name, call="console_output"))

    Guest.objects.update(booted_at=None)
    fleet.admin.set_fault(one_host.name, "console_output", kind=FaultKind.ERROR, times=99)  # never ready
    assert (reads(watcher.listen), reads(watcher.listen)) == (1, 1)
    Job.objects.update(finished_at=timezone.now() - timedelta(minutes=16))
    assert (reads(watcher.listen), reads(watcher.look)) == (0, 1)


def test_load_is_measured_over_an_interval_not_between_two_hypervisors(one_host):
    def record(busy_ns: int, total_ns: int) -> float | None:
        load = HostLoad(cpu_busy_ns=busy_ns, cpu_total_ns=total_ns, memory_used_mib=1, memory_total_mib=4)
        kvm = HostConnection.objects.get(host=one_host, host_type="kvm")
        hosts_observation.host_seen(connection=kvm, at=timezone.now(), load=load)
        return Host.objects.get(pk=one_host.pk).load_cpu_percent

    assert record(100, 1000) is None
    one_host.refresh_from_db()
    assert one_host.load_memory_percent == 25
    one_host.load_sample["at"] = (timezone.now() - timedelta(seconds=settings.COLLECT_EVERY_S)).isoformat()
    one_host.save(update_fields=["load_sample"])
    assert record(300, 2000) == 20
    assert record(301, 2001) == 20  # the other hypervisor's, a moment later


def test_host_has_what_its_hypervisors_have(one_host, fleet):
    kvm, lxc = (HostConnection.objects.get(host=one_host, host_type=host_type) for host_type in ("kvm", "lxc"))
    for connection in (kvm, lxc):
        Looking(connection.pk).look()
    seen = HostConnection.objects.get(pk=lxc.pk).last_seen_at
    HostConnection.objects.filter(pk=lxc.pk).update(uri="simulated:///nowhere?socket=/nonexistent")
    for connection in (lxc, kvm, lxc, kvm):
        Looking(connection.pk).look()
    one_host.refresh_from_db()
    assert (one_host.last_seen_at, one_host.last_error) == (seen, "LXC: The host does not answer.")
    HostConnection.objects.filter(pk=lxc.pk).update(enabled=False)
    Looking(kvm.pk).look()
    one_host.refresh_from_db()
    assert one_host.last_seen_at > seen
    assert one_host.last_error == ""


def test_host_with_a_hypervisor_that_was_never_seen_does_not_answer(one_host):
    HostConnection.objects.filter(host=one_host, host_type="lxc").update(last_seen_at=None)
    Looking(HostConnection.objects.get(host=one_host, host_type="kvm").pk).look()
    assert Host.objects.annotate(answers=SEEN_LATELY).values_list("last_seen_at", "answers").get() == (None, False)


def test_host_none_of_whose_hypervisors_answers_says_so_once(one_host, fleet):
    fleet.admin.set_reachable(one_host.name, False)
    for connection in HostConnection.objects.filter(host=one_host):
        Looking(connection.pk).look()
    one_host.refresh_from_db()
    assert one_host.last_error == "The host does not answer."


def test_the_fill_of_all_pools_is_one_statement(one_host):
    pools = [one_host.pools.get()]
    pools += [StoragePool.objects.create(host=one_host, name=f"pool-{n}", path=f"/pool-{n}") for n in range(3)]
    fills = [
        (pool, PoolInfo(name=pool.name, capacity_bytes=100 + n, allocation_bytes=0, available_bytes=10 + n))
        for n, pool in enumerate(pools)
    ]
    with CaptureQueriesContext(database) as queries:
        hosts_observation.pools_record(fills)
        hosts_observation.pools_record([])
    assert len(queries) == 1
    found = StoragePool.objects.filter(host=one_host).order_by("capacity_bytes")
    assert [(row.pk, row.capacity_bytes, row.available_bytes) for row in found] == [
        (pool.pk, 100 + n, 10 + n) for n, pool in enumerate(pools)
    ]
