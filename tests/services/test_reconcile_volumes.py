"""Volumes that nobody owns, or that are not there: listed, and given back only when that is safe."""

import pytest

from hosts.drivers.simulated import FaultKind
from hosts.drivers.types import VolumeFormat, VolumeRef
from hosts.models import HostConnection, Volume
from hosts.registry import driver_of
from panel.core.errors import DriverError, InvalidInputError, InvalidStateError
from panel.core.models import Job
from panel.core.retry import job_retry
from tests.services.comparing import found, look_once, only
from tests.services.guests import forgotten, order
from tests.simulated_fleet import jobs_run
from vms.models import Comparison, Difference
from vms.operations.survey import compare_connection
from vms.services.reconcile import actions

pytestmark = pytest.mark.django_db(transaction=True)


def test_volumes_without_owner_are_listed_and_deleted_only_when_their_name_is_typed(guest, one_host, look, staff, kvm):
    pool = one_host.pools.get()
    stray = VolumeRef(pool.name, "old.qcow2")
    driver_of(kvm).volume_create(stray, format=VolumeFormat.QCOW2, capacity_bytes=1024)
    assert look() == [("volume-without-owner", "old.qcow2", "open")]
    row = only()
    with pytest.raises(InvalidInputError):
        actions.difference_release(actor=staff, difference=row, confirm="old")
    actions.difference_release(actor=staff, difference=row, confirm="old.qcow2")
    assert [(job.action, job.status) for job in jobs_run()] == [("volume.release", "success")]
    assert "old.qcow2" not in {one.ref.name for one in driver_of(kvm).volume_list(pool.name)}
    assert look() == []


def test_a_release_that_failed_is_tried_again_while_the_volume_has_no_owner(guest, one_host, fleet, look, staff, kvm):
    pool = one_host.pools.get()
    stray = VolumeRef(pool.name, "old.qcow2")
    driver_of(kvm).volume_create(stray, format=VolumeFormat.QCOW2, capacity_bytes=1024)
    look()
    fleet.admin.set_fault(one_host.name, "volume_delete", FaultKind.ERROR, error=DriverError, times=1)
    actions.difference_release(actor=staff, difference=only(), confirm="old.qcow2")
    (failed,) = jobs_run()
    assert failed.status == "error"
    job_retry(actor=staff, job=Job.objects.get(pk=failed.pk))
    assert [(job.action, job.status) for job in jobs_run()] == [("volume.release", "success")]
    assert "old.qcow2" not in {one.ref.name for one in driver_of(kvm).volume_list(pool.name)}
    with pytest.raises(InvalidStateError, match="The difference is closed"):
        job_retry(actor=staff, job=Job.objects.get(pk=failed.pk))


def test_a_volume_that_got_an_owner_meanwhile_is_not_deleted(guest, one_host, look, staff, kvm):
    pool = one_host.pools.get()
    stray = VolumeRef(pool.name, "old.qcow2")
    driver_of(kvm).volume_create(stray, format=VolumeFormat.QCOW2, capacity_bytes=1024)
    look()
    actions.difference_release(actor=staff, difference=only(), confirm="old.qcow2")
    Volume.objects.create(
        pool=pool, name="old.qcow2", kind="root", format="qcow2", capacity_bytes=1024, owner_id=guest.pk
    )
    assert [job.error_message for job in jobs_run()] == ["The volume has an owner by now."]
    assert driver_of(kvm).volume_info(stray).capacity_bytes == 1024


def test_a_missing_seed_is_written_again_and_a_missing_disk_is_not(guest, one_host, look, staff, kvm):
    driver, pool = driver_of(kvm), one_host.pools.get()
    seed = f"guest-{guest.pk}-seed.iso"
    driver.volume_delete(VolumeRef(pool.name, seed))
    for _ in range(3):
        look()
    row = Difference.objects.get(kind="volume-missing")
    assert (row.label, row.state, row.severity) == (seed, "open", "medium")
    actions.difference_repair(actor=staff, difference=row)
    assert [job.status for job in jobs_run()] == ["success"]
    assert look() == []
    driver.volume_delete(VolumeRef(pool.name, f"guest-{guest.pk}-root.qcow2"))
    for _ in range(3):
        look()
    row = Difference.objects.get(kind="volume-missing", state="open")
    assert row.severity == "high"
    with pytest.raises(InvalidStateError, match="cannot be made again"):
        actions.difference_repair(actor=staff, difference=row)


def test_a_pool_that_lists_nothing_is_one_severe_difference_and_no_volume_counts_as_missing(
    guest, one_host, look, staff, kvm
):
    driver, pool = driver_of(kvm), one_host.pools.get()
    for volume in driver.volume_list(pool.name):
        driver.volume_delete(volume.ref)
    for _ in range(4):
        (lost, *each) = sorted(look(), key=lambda one: one[0])
        assert lost == ("pool-lost-volumes", pool.name, "open")
        assert {(kind, state) for kind, _, state in each} == {("volume-missing", "suspected")}
    row = Difference.objects.get(kind="pool-lost-volumes")
    assert (row.severity, row.expected, row.found) == ("high", {"volumes": 2}, {"volumes": 0, "path": pool.path})
    for action in (actions.difference_repair, actions.difference_release):
        with pytest.raises(InvalidStateError):
            action(actor=staff, difference=row)


def test_a_volume_that_another_is_an_overlay_of_is_not_released(guest, one_host, look, staff, kvm):
    pool, driver = one_host.pools.get(), driver_of(kvm)
    base, overlay = VolumeRef(pool.name, "base.qcow2"), VolumeRef(pool.name, "overlay.qcow2")
    qcow2 = VolumeFormat.QCOW2
    driver.volume_create(base, format=qcow2, capacity_bytes=1024)
    look()
    early = only()
    driver.volume_create(overlay, format=qcow2, capacity_bytes=1024, backing=base, backing_format=qcow2)
    said = "The volume overlay.qcow2 is an overlay of it and would be lost with it."
    actions.difference_release(actor=staff, difference=early, confirm="base.qcow2")  # before the next look
    assert [job.error_message for job in jobs_run()] == [said]
    look()
    row = Difference.objects.get(label="base.qcow2", state="open")
    with pytest.raises(InvalidStateError, match=said):
        actions.difference_release(actor=staff, difference=row, confirm="base.qcow2")
    for name in ("overlay.qcow2", "base.qcow2"):
        look()
        row = Difference.objects.get(label=name, state="open")
        actions.difference_release(actor=staff, difference=row, confirm=name)
        assert [job.status for job in jobs_run()] == ["success"]
    assert look() == []


def test_what_the_host_s_other_hypervisor_uses_is_its_domain_s_and_unknown_until_that_was_compared(
    one_host, customer, fleet, kvm
):
    lost = order(customer, name="newer", host_type="lxc").guest
    jobs_run()
    names = sorted(Volume.objects.filter(owner_id=lost.pk).values_list("name", flat=True))
    forgotten(lost)
    Comparison.objects.all().delete()

    compare_connection(driver_of(kvm), kvm, anew=True)
    assert found() == []
    look_once(one_host)
    assert "volume-without-owner" not in {kind for kind, _, _ in found()}
    assert ("domain-without-guest", f"innkeeper-{lost.pk.hex[:12]}", "open") in found()
    lxc = HostConnection.objects.get(host=one_host, host_type="lxc")
    driver_of(lxc).domain_destroy(lost.pk)
    driver_of(lxc).domain_undefine(lost.pk)
    look_once(one_host)
    ownerless = [label for kind, label, _ in found() if kind == "volume-without-owner"]
    assert set(names) <= set(ownerless)
