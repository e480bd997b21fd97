"""The driver contract's part about describing domains, taking them over, and their rules against spoofing."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from hosts.drivers.base import HypervisorDriver
from hosts.drivers.descriptions import DomainDescription, NicDescription
from hosts.drivers.types import DomainSpec, HostType, NicSpec, PoolSpec, PowerState, VolumeFormat, VolumeRef
from panel.core.errors import DomainNotFoundError, VolumeNotFoundError
from panel.core.units import MIB
from tests.drivers.checks import (
    MakeSpec,
    NewDriver,
    assert_absent,
    given,
    listed,
    started,
    usage_of,
    wait_until,
)


def nic_of(driver: HypervisorDriver, domain: UUID) -> NicDescription:
    """Return the description of a domain's only nic."""
    (nic,) = driver.domain_describe(domain).nics
    return nic


def whose(found: DomainDescription) -> tuple[bool, bool, str, str]:
    """Return whose a domain is: made by the panel, taken over by it, of whom, and under which title."""
    return found.ours, found.taken_over, found.owner, found.title


class AdoptionContract:
    """What a host says of domains, whoever made them, and what makes one of ours."""

    def test_a_domain_is_described_as_it_was_defined(
        self, driver: HypervisorDriver, make_spec: MakeSpec, guarded_nic: NicSpec | None
    ):
        nic = given(guarded_nic, "guarded_nic")
        spec = make_spec(nics=(nic,), vcpus=2)
        driver.domain_define(spec)

        found = driver.domain_describe(spec.id)

        assert (found.id, found.domain_name, found.host_type) == (spec.id, spec.domain_name, spec.host_type)
        assert (found.vcpus, found.memory_mib, found.persistent) == (2, spec.memory_mib, True)
        assert found.state is PowerState.SHUTOFF
        assert found.user_namespace is (True if spec.host_type is HostType.LXC else None)
        assert whose(found) == (True, False, spec.owner, spec.name)
        (root,) = (disk for disk in found.disks if not disk.read_only)
        volume = driver.volume_info(spec.disks[0].volume)
        assert (root.volume, root.capacity_bytes, root.source) == (volume.ref, volume.capacity_bytes, "file")
        assert [disk.volume for disk in found.disks if disk.read_only] == [spec.seed]
        (shown,) = found.nics
        assert (shown.mac, shown.bridge, shown.anti_spoofing, shown.guarded) == (nic.mac, nic.bridge, True, None)
        assert shown.addresses == tuple(one.address for one in nic.addresses)
        every = driver.domain_descriptions()
        assert [one.id for one in every] == sorted(one.id for one in every)
        assert [one for one in every if one.id == spec.id] == [found]

    def test_what_runs_tells_what_its_disk_is_an_overlay_of(self, driver: HypervisorDriver, make_spec: MakeSpec):
        spec = make_spec()
        below = driver.volume_info(spec.disks[0].volume).backing_path
        started(driver, spec)
        disks = driver.domain_describe(spec.id).disks
        assert [disk.backing_paths for disk in disks if not disk.read_only] == [(below,) if below else ()]
        driver.domain_destroy(spec.id)

    def test_files_that_domains_and_overlays_need_are_told(
        self, driver: HypervisorDriver, make_spec: MakeSpec, pool: PoolSpec
    ):
        spec = make_spec()
        driver.domain_define(spec)
        base, overlay = (VolumeRef(pool.name, f"{name}-{spec.id}.qcow2") for name in ("base", "overlay"))
        qcow2 = VolumeFormat.QCOW2
        driver.volume_create(base, format=qcow2, capacity_bytes=MIB)
        driver.volume_create(overlay, format=qcow2, capacity_bytes=MIB, backing=base, backing_format=qcow2)
        needed = {disk.volume for disk in spec.disks} | ({spec.seed} if spec.seed is not None else set())
        if spec.kernel is not None:
            needed |= {spec.kernel.kernel, spec.kernel.initrd}
        uses = driver.file_uses(pools=[pool.name], files=[f"{pool.path}/{base.name}"])
        names = {use.path.rpartition("/")[2] for use in uses if use.domain == spec.id}
        assert {volume.name for volume in needed} <= names
        assert {use.by for use in uses if use.domain == spec.id} == {spec.domain_name}
        of_overlays = {use.path: use.by for use in uses if use.domain is None}
        assert of_overlays[f"{pool.path}/{base.name}"] == f"{pool.path}/{overlay.name}"
        with pytest.raises(VolumeNotFoundError):
            driver.file_uses(pools=[pool.name, "absent"], files=[])
        for volume in (overlay, base):
            driver.volume_delete(volume)
        driver.domain_undefine(spec.id)
        left = driver.file_uses(pools=[], files=[])
        assert [use for use in left if use.domain == spec.id or use.path.endswith(base.name)] == []

    def test_nothing_is_said_of_or_done_to_a_domain_that_is_missing(
        self, driver: HypervisorDriver, make_spec: MakeSpec
    ):
        spec = make_spec()
        calls: list[Callable[[], object]] = [
            lambda: driver.domain_describe(spec.id),
            lambda: driver.domain_configuration(spec.id),
            lambda: driver.domain_take_over(spec),
            lambda: driver.domain_protect(spec.id),
        ]
        for call in calls:
            with pytest.raises(DomainNotFoundError):
                call()
        assert listed(driver, spec.id) == []

    def test_rules_that_are_gone_are_noticed_and_loaded_again(
        self,
        driver: HypervisorDriver,
        make_spec: MakeSpec,
        guarded_nic: NicSpec | None,
        lose_rules: Callable[[UUID], None] | None,
    ):
        lose, spec = given(lose_rules, "lose_rules"), make_spec(nics=(given(guarded_nic, "guarded_nic"),))
        driver.domain_define(spec)
        assert driver.domain_protect(spec.id) is False  # it is off: its start loads them
        driver.domain_start(spec.id)
        assert nic_of(driver, spec.id).guarded is True
        lose(spec.id)
        assert nic_of(driver, spec.id).guarded is False
        for _ in range(2):
            assert driver.domain_protect(spec.id) is True
            assert nic_of(driver, spec.id).guarded is True
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        driver.domain_destroy(spec.id)
        assert nic_of(driver, spec.id).guarded is None

    def test_one_of_ours_changes_hands_and_back_while_it_runs(
        self, driver: HypervisorDriver, make_spec: MakeSpec, guarded_nic: NicSpec | None
    ):
        spec = make_spec(nics=(given(guarded_nic, "guarded_nic"),))
        started(driver, spec)
        other = replace(spec, owner=str(uuid.uuid4()), name="other")
        before = driver.domain_configuration(spec.id)
        for _ in range(2):
            driver.domain_take_over(other)
            assert whose(driver.domain_describe(spec.id)) == (True, True, other.owner, "other")
            assert driver.domain_is_current(other)
        assert nic_of(driver, spec.id).guarded is True
        driver.domain_let_go(spec.id, configuration=before)
        assert whose(driver.domain_describe(spec.id)) == (True, False, spec.owner, spec.name)
        assert driver.domain_is_current(spec)
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        driver.domain_destroy(spec.id)

    def test_somebody_elses_becomes_ours_and_theirs_again_while_it_runs(
        self,
        driver: HypervisorDriver,
        new_driver: NewDriver | None,
        guarded_nic: NicSpec | None,
        foreign_running: Callable[[NicSpec], DomainSpec] | None,
    ):
        """A second driver that listens, as a collector's does, sees it at once though it asks whose it is only once."""
        spec = given(foreign_running, "foreign_running")(given(guarded_nic, "guarded_nic"))
        collector = given(new_driver, "new_driver")()
        collector.listen(lambda domain: None)

        def seen(*, ours: bool) -> None:
            assert [info.ours for info in listed(driver, spec.id)] == [ours]
            assert driver.domain_describe(spec.id).ours is ours
            wait_until(lambda: [info.ours for info in listed(collector, spec.id)] == [ours])
            assert driver.domain_info(spec.id).state is PowerState.RUNNING

        before = driver.domain_describe(spec.id)
        configuration = driver.domain_configuration(spec.id)
        seen(ours=False)
        assert (before.taken_over, before.owner, before.nics[0].anti_spoofing) == (False, "", False)
        driver.domain_take_over(spec)
        seen(ours=True)
        found = driver.domain_describe(spec.id)
        assert (found.domain_name, found.disks) == (before.domain_name, before.disks)
        assert whose(found) == (True, True, spec.owner, spec.name)
        assert (found.nics[0].mac, found.nics[0].guarded) == (spec.nics[0].mac, True)
        assert found.nics[0].addresses == tuple(one.address for one in spec.nics[0].addresses)
        assert driver.domain_is_current(spec)
        driver.domain_let_go(spec.id, configuration=configuration)
        seen(ours=False)
        assert driver.domain_describe(spec.id) == before
        collector.close()

    @pytest.mark.parametrize("user_namespace", [True, False])
    def test_a_container_on_a_directory_is_taken_over_and_works_as_one_of_ours(
        self,
        driver: HypervisorDriver,
        guarded_nic: NicSpec | None,
        foreign_container: Callable[..., DomainSpec] | None,
        user_namespace: bool,
    ):
        if foreign_container is None:
            pytest.skip("not applicable: only a container is on a directory of its host")
        nic = given(guarded_nic, "guarded_nic")
        spec = foreign_container(nic, user_namespace=user_namespace)
        before = driver.domain_describe(spec.id)
        assert (before.ours, before.user_namespace) == (False, user_namespace)
        (root,) = (disk for disk in before.disks if disk.target == "/")
        assert (root.kind, root.source, root.format, root.volume) == ("filesystem", "directory", "raw", None)
        assert (root.path.rpartition("/")[2], root.capacity_bytes, root.read_only) == ("rootfs", 0, False)
        driver.domain_take_over(spec)
        assert nic_of(driver, spec.id).guarded is True
        assert driver.domain_info(spec.id).state is PowerState.RUNNING
        driver.domain_destroy(spec.id)
        larger = replace(spec, vcpus=2, memory_mib=512, max_processes=60)
        assert not driver.domain_is_current(larger)
        driver.domain_define(larger)
        assert driver.domain_is_current(larger)
        driver.domain_start(spec.id)
        found = driver.domain_describe(spec.id)
        assert (found.vcpus, found.memory_mib, found.user_namespace) == (2, 512, user_namespace)
        assert (found.disks, found.domain_name) == (before.disks, before.domain_name)
        assert (found.nics[0].device, found.nics[0].guarded) == (nic.device, True)
        wait_until(lambda: (usage_of(driver, spec.id).cpu_time_ns or 0) > 0)
        driver.domain_destroy(spec.id)
        driver.domain_undefine(spec.id)
        assert_absent(driver, spec.id)
