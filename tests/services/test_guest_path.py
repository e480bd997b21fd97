"""The whole path of a guest on a simulated host: create, power, suspend, resize, rebuild, delete."""

import pytest

from hosts.drivers.simulated import FaultKind
from hosts.drivers.types import VolumeRef
from hosts.models import HostImage, Image, IPAddress, StoragePool, Volume
from hosts.registry import driver_for
from hosts.services.enrolment import SLOTS
from panel.core.errors import InvalidInputError, InvalidStateError, QuotaExceededError, ResourceBusyError
from panel.core.jobs import job_claim
from panel.core.models import JobStatus
from tests import factories, stock
from tests.services.guests import act, order
from tests.simulated_fleet import jobs_run
from vms.models import Guest, GuestSecret
from vms.operations.specs import seed_request
from vms.services import access, actions, guests, suspension
from vms.services.resize import guest_resize
from vms.states import GuestAction, Lifecycle

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("host_type", ["kvm", "lxc"])
def test_created_guest_runs_and_delete_leaves_nothing(one_host, customer, host_type):
    made = order(customer, host_type=host_type)
    assert made.root_password is None
    assert len(jobs_run()) == 1
    guest = Guest.objects.get(pk=made.guest.pk)
    assert (guest.lifecycle, guest.power_state, guest.power_wanted) == ("active", "running", "on")
    driver = driver_for(one_host.pk, host_type)
    assert driver.domain_info(guest.pk).memory_mib == 256
    assert IPAddress.objects.filter(owner_id=guest.pk).count() == 2
    assert Volume.objects.filter(owner_id=guest.pk).count() == 2

    guests.guest_delete(actor=factories.actor_make(factories.staff_make()), guest=guest)
    (job,) = jobs_run()
    assert job.status == JobStatus.SUCCESS
    guest.refresh_from_db()
    assert guest.lifecycle == Lifecycle.DELETED
    assert list(driver.leftovers(guest.pk)) == []
    pool = StoragePool.objects.get(host=one_host)
    images = {file.volume_name for file in Image.objects.get(slug="micro").files.all()}
    assert {info.ref.name for info in driver.volume_list(pool.name)} == images
    assert IPAddress.objects.filter(owner_id__isnull=False).count() == 0
    assert Volume.objects.count() == 0
    customer.refresh_from_db()
    one_host.refresh_from_db()
    assert (customer.used_guests, customer.used_vcpus, customer.used_memory_mib, customer.used_disk_gib) == (0, 0, 0, 0)
    assert (one_host.used_vcpus, one_host.used_memory_mib, pool.used_gib) == (0, 0, 0)


def test_power_actions(guest):
    assert act(guest, GuestAction.SHUTDOWN).status == JobStatus.SUCCESS
    assert (guest.power_state, guest.power_wanted) == ("shutoff", "off")
    assert act(guest, GuestAction.START).status == JobStatus.SUCCESS
    assert (guest.power_state, guest.power_wanted) == ("running", "on")
    assert act(guest, GuestAction.REBOOT).status == JobStatus.SUCCESS
    assert act(guest, GuestAction.RESET).status == JobStatus.SUCCESS
    assert act(guest, GuestAction.STOP).status == JobStatus.SUCCESS
    assert guest.power_state == "shutoff"


def test_shutdown_that_is_ignored_says_so(guest, one_host, fleet, monkeypatch):
    monkeypatch.setattr("vms.operations.power.SHUTDOWN_WAIT_S", 0.2)
    fleet.admin.guest_set_ignores_shutdown(one_host.name, guest.pk)
    job = act(guest, GuestAction.SHUTDOWN)
    assert (job.status, job.error_code) == (JobStatus.ERROR, "shutdown_ignored")
    assert guest.power_state == "running"


def test_guests_that_do_not_go_down_leave_workers_to_others(one_host, customer):
    running = {"host": one_host, "power_state": "running", "power_wanted": "on"}
    deaf = [stock.guest_make(customer, **running) for _ in range(SLOTS["power"] + 1)]
    actor = factories.actor_make(factories.staff_make())
    asked = [
        actions.guest_action_submit(actor=actor, guest=guest, action=action)
        for guest, action in zip(deaf, [GuestAction.SHUTDOWN, *3 * [GuestAction.REBOOT]], strict=True)
    ]
    claimed = [job_claim(job.pk, worker="w") is not None for job in asked]
    assert claimed == [True, True, True, False]
    stop = actions.guest_action_submit(
        actor=actor, guest=stock.guest_make(customer, **running), action=GuestAction.STOP
    )
    assert job_claim(stop.pk, worker="w") is not None


def test_second_job_is_refused_naming_the_first(guest):
    actor = factories.actor_make(factories.staff_make())
    first = actions.guest_action_submit(actor=actor, guest=guest, action=GuestAction.STOP)
    with pytest.raises(ResourceBusyError) as refused:
        actions.guest_action_submit(actor=actor, guest=guest, action=GuestAction.REBOOT)
    assert refused.value.facts["job_id"] == str(first.pk)


def test_start_of_a_running_guest_is_refused(guest):
    with pytest.raises(InvalidStateError) as refused:
        act(guest, GuestAction.START)
    assert str(refused.value) == "This cannot be done while the server is running."


def test_image_is_copied_once_for_all_who_wait(fleet, customer):
    host = fleet.host()
    fleet.network(host)
    image = fleet.image()
    first, second = order(customer, name="a").guest, order(customer, name="b").guest
    jobs = jobs_run()
    assert [job.action for job in jobs if job.status == JobStatus.SUCCESS].count("image.copy") == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.lifecycle, second.lifecycle) == ("active", "active")
    assert HostImage.objects.filter(host=host, file__image=image).count() == 3


def test_password_goes_into_the_seed_and_its_hash_away(one_host, customer, fleet):
    made = order(customer, ssh_keys=())
    assert made.root_password is not None
    assert len(made.root_password) == 20
    assert GuestSecret.objects.get(guest=made.guest).root_password_hash.startswith("$6$")
    jobs_run()
    assert GuestSecret.objects.count() == 0
    seed = next(v for v in Volume.objects.all() if v.kind == "seed")
    files = fleet.admin.seed_of(one_host.name, VolumeRef(seed.pool.name, seed.name)).files
    assert any(b"$6$" in content for content in files.values())
    assert all(made.root_password.encode() not in content for content in files.values())


def test_failed_create_undoes_what_it_made(one_host, customer, fleet):
    fleet.admin.set_fault(one_host.name, "domain_start", kind=FaultKind.ERROR)
    guest = order(customer).guest
    (job,) = jobs_run()
    assert job.status == JobStatus.ERROR
    guest.refresh_from_db()
    assert guest.lifecycle == Lifecycle.ERROR
    assert guest.error_message
    driver = driver_for(one_host.pk, "kvm")
    assert list(driver.leftovers(guest.pk)) == []
    assert job.undo_entries.count() == 0
    assert not any(str(guest.pk) in info.ref.name for info in driver.volume_list(one_host.pools.get().name))


def test_suspend_stops_and_unsuspend_starts_only_what_ran(guest):
    staff = factories.actor_make(factories.staff_make())
    suspension.guest_suspend(actor=staff, guest=guest, reason="payment")
    jobs_run()
    suspension.guest_suspend(actor=staff, guest=guest, reason="abuse")
    jobs_run()
    guest.refresh_from_db()
    assert guest.power_state == "shutoff"
    with pytest.raises(InvalidStateError, match="suspended"):
        act(guest, GuestAction.START)
    assert suspension.guest_unsuspend(actor=staff, guest=guest, reason="payment") is None
    assert suspension.guest_unsuspend(actor=staff, guest=guest, reason="abuse") is not None
    jobs_run()
    guest.refresh_from_db()
    assert (guest.power_state, guest.power_wanted) == ("running", "on")
    assert suspension.guest_suspend(actor=staff, guest=guest, reason="payment") is not None
    assert suspension.guest_suspend(actor=staff, guest=guest, reason="payment") is None


def test_what_was_off_stays_off_after_unsuspend(guest):
    staff = factories.actor_make(factories.staff_make())
    act(guest, GuestAction.STOP)
    suspension.guest_suspend(actor=staff, guest=guest, reason="payment")
    jobs_run()
    assert suspension.guest_unsuspend(actor=staff, guest=guest, reason="payment") is None
    guest.refresh_from_db()
    assert guest.power_state == "shutoff"


def test_delete_waits_for_the_job_at_work(guest):
    staff = factories.actor_make(factories.staff_make())
    actions.guest_action_submit(actor=staff, guest=guest, action=GuestAction.REBOOT)
    job = guests.guest_delete(actor=staff, guest=guest)
    assert guests.guest_delete(actor=staff, guest=guest).pk == job.pk
    ended = {job.action: job.status for job in jobs_run()}
    assert ended == {"guest.reboot": JobStatus.CANCELLED, "guest.delete": JobStatus.SUCCESS}
    guest.refresh_from_db()
    assert guest.lifecycle == Lifecycle.DELETED


def test_quota_is_exact_and_refusal_takes_nothing(one_host, customer):
    customer.quota_guests = 1
    customer.save()
    order(customer, name="a")
    with pytest.raises(QuotaExceededError) as refused:
        order(customer, name="b")
    assert str(refused.value) == "Your quota is 1 servers, and 1 are in use."
    customer.refresh_from_db()
    one_host.refresh_from_db()
    assert (customer.used_guests, one_host.used_vcpus, Guest.objects.count()) == (1, 1, 1)


def test_bad_fields_are_all_named(one_host, customer):
    with pytest.raises(InvalidInputError) as refused:
        order(customer, name="-bad", disk_gib=0, user_data="#cloud-config\n: [", ssh_keys=("nonsense",))
    assert sorted(refused.value.fields) == ["disk_gib", "name", "ssh_keys", "user_data"]
    assert Guest.objects.count() == 0


def test_resize_of_a_stopped_guest(guest, one_host, customer):
    act(guest, GuestAction.STOP)
    staff = factories.actor_make(factories.staff_make())
    guest_resize(actor=staff, guest=guest, vcpus=2, memory_mib=512, disk_gib=4)
    (job,) = jobs_run()
    assert job.status == JobStatus.SUCCESS
    info = driver_for(one_host.pk, "kvm").domain_info(guest.pk)
    assert (info.vcpus, info.memory_mib) == (2, 512)
    one_host.refresh_from_db()
    customer.refresh_from_db()
    assert (one_host.used_vcpus, one_host.used_memory_mib, one_host.pools.get().used_gib) == (2, 512, 4)
    assert (customer.used_vcpus, customer.used_memory_mib, customer.used_disk_gib) == (2, 512, 4)


def test_failed_resize_gives_everything_back(guest, one_host, customer, fleet):
    act(guest, GuestAction.STOP)
    fleet.admin.set_fault(one_host.name, "volume_resize", kind=FaultKind.ERROR)
    staff = factories.actor_make(factories.staff_make())
    guest_resize(actor=staff, guest=guest, vcpus=2, memory_mib=512, disk_gib=4)
    (job,) = jobs_run()
    assert job.status == JobStatus.ERROR
    guest.refresh_from_db()
    one_host.refresh_from_db()
    customer.refresh_from_db()
    assert (guest.vcpus, guest.memory_mib, guest.disk_gib) == (1, 256, 2)
    assert (one_host.used_vcpus, one_host.used_memory_mib, one_host.pools.get().used_gib) == (1, 256, 2)
    assert (customer.used_vcpus, customer.used_memory_mib, customer.used_disk_gib) == (1, 256, 2)


def test_rebuild_makes_a_new_machine_with_the_same_address(guest, one_host):
    before = sorted(IPAddress.objects.filter(owner_id=guest.pk).values_list("address", flat=True))
    staff = factories.actor_make(factories.staff_make())
    _, password = access.guest_rebuild(actor=staff, guest=guest, want_password=True)
    (job,) = jobs_run()
    assert job.status == JobStatus.SUCCESS
    guest.refresh_from_db()
    assert password is not None
    assert (guest.power_state, guest.build_number, guest.booted_at) == ("running", 2, None)
    assert sorted(IPAddress.objects.filter(owner_id=guest.pk).values_list("address", flat=True)) == before


def test_a_renamed_server_keeps_its_host_name_until_it_is_rebuilt(guest, one_host):
    actor = factories.actor_make(factories.staff_make())
    renamed = guests.guest_rename(actor=actor, guest=guest, name="web-2")
    assert (renamed.name, seed_request(renamed).hostname) == ("web-2", "web-1")
    access.guest_rebuild(actor=actor, guest=guest)
    jobs_run()
    guest.refresh_from_db()
    assert seed_request(guest).hostname == "web-2"


def test_a_server_with_ipv6_alone_costs_no_address_and_gives_none_back(fleet, customer):
    host = fleet.host()
    network = fleet.network(host, cidr_v4="", cidr_v6="fd00:78::/64")
    order(customer, image=fleet.image(on=(host,)))
    customer.refresh_from_db()
    assert (customer.used_guests, customer.used_addresses) == (1, 0)
    (guest,) = Guest.objects.all()
    jobs_run()
    guests.guest_delete(actor=factories.actor_make(factories.staff_make()), guest=guest)
    jobs_run()
    customer.refresh_from_db()
    assert (customer.used_guests, customer.used_addresses) == (0, 0)
    assert not IPAddress.objects.filter(network=network).exists()
