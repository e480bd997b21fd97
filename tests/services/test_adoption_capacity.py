"""What a host has is counted once, whatever directories of it were taken over."""

import pytest

from hosts.api.outputs import host_json, pool_json
from hosts.drivers.types import PoolSpec
from hosts.health import full_pools
from hosts.metrics import of_hosts
from hosts.models import HostConnection, StoragePool
from hosts.registry import driver_of
from hosts.selectors import file_systems, host_list_for
from hosts.services.hosts import host_check
from panel.core.clock import database_now
from tests.faults.deeds import Deeds
from tests.simulated_fleet import jobs_run
from vms.services.adoption import AdoptRequest, guest_adopt

pytestmark = pytest.mark.django_db(transaction=True)


def checked(deeds: Deeds) -> None:
    host_check(actor=deeds.staff, host=deeds.host)
    assert [job.error_message for job in jobs_run()] == [""]


def taken_over(deeds: Deeds, path: str) -> StoragePool:
    """Take a running domain over whose disk of 1 GiB is in a directory of its own."""
    pool = PoolSpec(name=path.strip("/").replace("/", "-"), path=path)
    driver_of(HostConnection.objects.get(host=deeds.host, host_type="kvm")).pool_ensure(pool)
    guest_adopt(
        actor=deeds.staff, difference=deeds.found(pool=pool.name), request=AdoptRequest(customer=deeds.customer)
    )
    assert [job.error_message for job in jobs_run()] == [""]
    return StoragePool.objects.get(host=deeds.host, path=path)


def disk(deeds: Deeds) -> dict[str, int]:
    shown: dict[str, int] = host_json(host_list_for(deeds.staff).get())["capacity"]["disk_gib"]
    return shown


def test_directories_that_were_taken_over_make_no_host_larger(deeds):
    checked(deeds)
    own = deeds.pool
    limit = own.limit_gib
    assert (limit > 0, disk(deeds)) == (True, {"limit": limit, "used": 0})
    pools = [own, taken_over(deeds, "/srv/one"), taken_over(deeds, "/srv/two"), taken_over(deeds, "/dev/vg0")]
    assert [pool.capacity_bytes for pool in pools] == [own.capacity_bytes] * 3 + [0]
    assert [pool_json(pool)["for_new_guests"] for pool in pools] == [True, False, False, False]
    assert file_systems(StoragePool.objects.all()) == [own]
    assert disk(deeds) == {"limit": limit + 1, "used": 3}  # the block device is on none of the host's file systems
    metrics = {metric.name: metric for metric in of_hosts(database_now())}
    for name in ("innkeeper_pool_used_ratio", "innkeeper_pool_sold_ratio"):
        assert [one.labels["pool"] for one in metrics[name].samples] == [own.name]


def test_one_on_another_file_system_counts_for_itself(deeds):
    checked(deeds)
    other = taken_over(deeds, "/srv/one")
    StoragePool.objects.filter(pk=other.pk).update(capacity_bytes=other.capacity_bytes + 4096)
    assert {pool.pk for pool in file_systems(StoragePool.objects.all())} == {deeds.pool.pk, other.pk}
    assert disk(deeds) == {"limit": deeds.pool.limit_gib + 1, "used": 1}


def test_health_tells_of_a_full_file_system_once(deeds):
    checked(deeds)
    taken_over(deeds, "/srv/one")
    taken_over(deeds, "/dev/vg0")  # as much may be sold there as is
    assert list(full_pools(database_now())) == []
    StoragePool.objects.filter(host=deeds.host).update(available_bytes=0)
    (found,) = full_pools(database_now())
    assert (found.code, found.subject) == ("pool_full", f"{deeds.host.name} {deeds.pool.name}")
