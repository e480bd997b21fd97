"""Containers that the panel has not made become guests, running on; their file systems are left alone."""

import importlib

import pytest
from django.apps import apps

from billing.services.plan_resize import guest_resize_to_plan
from hosts.drivers.types import PoolSpec
from hosts.models import HostConnection, StoragePool, Volume
from hosts.registry import driver_of
from hosts.services.hosts import host_check
from panel.core.errors import InvalidInputError, InvalidStateError
from panel.core.models import AuditEntry
from tests import stock
from tests.services.adopting import counts, fails, refused, used_and_deleted
from tests.services.comparing import look_once
from tests.services.guests import act
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.services.adoptable import own_disks
from vms.services.adoption import AdoptRequest, guest_adopt
from vms.services.suspension import guest_suspend, guest_unsuspend
from vms.states import GuestAction

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_container_on_a_directory_is_taken_over_and_the_directory_left_alone(one_host, fleet, customer, deeds):
    row = deeds.found_container()
    (disk,) = row.found["disks"]
    assert (disk["source"], disk["target"], disk["capacity_bytes"]) == ("directory", "/", 0)
    assert row.found["user_namespace"] is True
    before = fleet.admin.dump_host(one_host.name).domains[row.object_id]
    guest, _ = guest_adopt(actor=deeds.staff, difference=row, request=AdoptRequest(customer=customer))
    assert [job.error_message for job in jobs_run()] == [""]
    after = fleet.admin.dump_host(one_host.name).domains[guest.pk]
    assert (after.state, after.starts, after.name) == (before.state, before.starts, before.name)
    guest = Guest.objects.get(pk=guest.pk)
    assert (guest.host_type, guest.disk_gib, guest.power_state) == ("lxc", 0, "running")
    pool = StoragePool.objects.get(host=one_host, path="/")
    assert (pool.left_alone, pool.used_gib, pool.for_new_guests) == (True, 0, False)
    assert disk["path"] == f"/{Volume.objects.get(owner_id=guest.pk).name}"
    assert look_once(one_host) == []
    host_check(actor=deeds.staff, host=one_host)
    assert [job.error_message for job in jobs_run()] == [""]
    assert act(guest, GuestAction.REBOOT).status == "success"
    guest_suspend(actor=deeds.staff, guest=guest, reason="payment")
    guest_unsuspend(actor=deeds.staff, guest=Guest.objects.get(pk=guest.pk))
    assert {(job.action, job.error_message) for job in jobs_run()} == {("guest.suspend", ""), ("guest.unsuspend", "")}
    assert Guest.objects.get(pk=guest.pk).power_state == "running"
    used_and_deleted(deeds, guest)
    state = fleet.admin.dump_host(one_host.name)
    assert (guest.pk in state.domains, "/" in state.pools.values()) == (False, False)
    assert list(Volume.objects.filter(owner_id=guest.pk)) == []
    assert counts(one_host, customer)[:2] == (0, 0)
    assert look_once(one_host) == []


def test_a_container_whose_root_is_the_hosts_needs_to_be_accepted(one_host, customer, deeds):
    row = deeds.found_container(user_namespace=False)
    refused(one_host, customer, row, deeds, InvalidInputError, "its root may become root of the host")
    request = AdoptRequest(customer=customer, accept_host_root=True)
    guest, _ = guest_adopt(actor=deeds.staff, difference=row, request=request)
    assert [job.error_message for job in jobs_run()] == [""]
    assert Guest.objects.get(pk=guest.pk).lifecycle == "active"
    said = AuditEntry.objects.get(action="guest.adopt.requested").changes
    assert said["accept_host_root"] == [None, True]


def test_a_container_that_lost_its_user_namespace_since_is_not_taken_over(one_host, customer, fleet, deeds):
    row = deeds.found_container()
    state = fleet.admin.dump_host(one_host.name).domains[row.object_id]
    fleet.admin.make_foreign_domain(
        one_host.name, row.object_id, host_type=state.host_type, name=state.name, found=state.found,
        root_directory=state.root_directory, user_namespace=False,
    )  # fmt: skip
    guest_adopt(actor=deeds.staff, difference=row, request=AdoptRequest(customer=customer))
    (job,) = jobs_run()
    assert (job.status, job.error_detail) == ("error", "user_namespace")
    assert fleet.admin.dump_host(one_host.name).domains[row.object_id].spec is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": "/"}, "its host's own"),
        ({"source": "template"}, "cannot be taken over"),
        ({"target": "/srv"}, "no disk that it can write to"),
        ({"path": f"/srv/{'x' * 255}"}, "too long"),
    ],
)
def test_roots_that_cannot_be_taken_over_are_refused(one_host, customer, deeds, change, said):
    row = deeds.found_container()
    found = {**row.found, "disks": [{**row.found["disks"][0], **change}]}
    Difference.objects.filter(pk=row.pk).update(found=found)
    refused(one_host, customer, row, deeds, InvalidStateError, said)


def test_what_else_a_container_sees_of_its_host_stays_its_hosts(one_host, customer, deeds):
    row = deeds.found_container()
    root = row.found["disks"][0]
    shared = {**root, "target": "/data", "path": "/srv/shared"}
    assert own_disks({**row.found, "disks": [shared, root]}) == [root]
    assert own_disks({**row.found, "user_namespace": None, "disks": [shared, root]}) == [shared, root]  # no container


def test_a_plan_with_a_larger_disk_leaves_the_directory_as_it_is(one_host, customer, deeds):
    row = deeds.found_container()
    guest, _ = guest_adopt(actor=deeds.staff, difference=row, request=AdoptRequest(customer=customer))
    jobs_run()
    guest = Guest.objects.get(pk=guest.pk)
    act(guest, GuestAction.STOP)
    guest_resize_to_plan(actor=deeds.staff, guest=guest, plan=stock.plan_make(vcpus=2, memory_mib=512, disk_gib=20))
    assert [job.error_message for job in jobs_run()] == [""]
    guest.refresh_from_db()
    assert (guest.vcpus, guest.disk_gib) == (2, 0)


def test_two_containers_are_known_in_one_place(one_host, customer, deeds):
    for _ in range(2):
        guest_adopt(actor=deeds.staff, difference=deeds.found_container(), request=AdoptRequest(customer=customer))
    assert [job.error_message for job in jobs_run()] == ["", ""]
    assert StoragePool.objects.get(host=one_host, left_alone=True).volumes.count() == 2
    again = deeds.found_container()
    root = {**again.found["disks"][0], "path": f"/{Volume.objects.filter(left_alone=True)[0].name}"}
    Difference.objects.filter(pk=again.pk).update(found={**again.found, "disks": [root]})
    refused(one_host, customer, again, deeds, InvalidStateError, "belongs to a server of the panel's")


def test_a_file_in_a_place_that_was_left_alone_has_a_pool_after_all(one_host, fleet, customer, deeds):
    known = StoragePool.objects.create(
        host=one_host, name="innkeeper-found", path="/srv/images", for_new_guests=False, left_alone=True
    )
    root = Volume.objects.create(
        pool=known, name="ns.img", kind="root", format="raw", capacity_bytes=0, left_alone=True
    )
    beside = PoolSpec(name="theirs", path="/srv/images")
    driver_of(HostConnection.objects.get(host=one_host, host_type="kvm")).pool_ensure(beside)
    file = deeds.found(pool=beside.name)
    guest_adopt(actor=deeds.staff, difference=file, request=AdoptRequest(customer=customer))
    assert [job.error_message for job in jobs_run()] == [""]
    pool = StoragePool.objects.get(pk=root.pool_id)
    assert (pool.name, pool.left_alone, pool.capacity_bytes > 0) == ("theirs", False, True)
    assert look_once(one_host) == []  # what is left alone is not missed


def test_pools_of_long_paths_have_names_of_their_own(one_host, customer, deeds):
    long = f"/srv/{'x' * 60}"
    made = []
    for path in (f"{long}/one", f"{long}/two", "/srv/a/b", "/srv/a-b"):
        row = deeds.found_container()
        root = {**row.found["disks"][0], "source": "image", "path": f"{path}/ns.img"}
        Difference.objects.filter(pk=row.pk).update(found={**row.found, "disks": [root]})
        guest, _ = guest_adopt(actor=deeds.staff, difference=row, request=AdoptRequest(customer=customer))
        made.append(StoragePool.objects.get(volumes__owner_id=guest.pk).name)
    assert len(set(made)) == 4
    assert [len(name) for name in made[:2]] == [63, 63]
    assert made[2] == "innkeeper-found-srv-a-b"


def test_a_take_over_that_fails_leaves_the_container_as_it_was(one_host, customer, fleet, deeds):
    row = deeds.found_container()
    fails(customer, row, deeds)
    assert [one for one in look_once(one_host) if one[0] != "address-not-allocated"] == [
        ("domain-without-guest", row.label, "open")
    ]


def test_what_was_left_alone_by_its_path_is_marked(one_host):
    """As the migration does with what was taken over before it."""
    mark = importlib.import_module("hosts.migrations.0012_left_alone").mark
    volumes = {}
    for path in ("/dev/vg0", "/devices"):
        pool = StoragePool.objects.create(host=one_host, name=path, path=path)
        volumes[path] = Volume.objects.create(pool=pool, name="web", kind="root", format="raw", capacity_bytes=1)
    mark(apps, None)
    for path, is_left_alone in (("/dev/vg0", True), ("/devices", False)):
        volumes[path].refresh_from_db()
        pool = StoragePool.objects.get(path=path)
        assert (volumes[path].left_alone, pool.left_alone) == (is_left_alone, is_left_alone)
