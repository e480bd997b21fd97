"""How many processes a container may have when nobody said a number."""

import pytest

from hosts.drivers.types import Capability, VolumeRef
from hosts.models import HostConnection
from tests import stock
from vms.operations.specs import domain_spec, process_limit

pytestmark = pytest.mark.django_db


def limit(connection: HostConnection, *, can: bool = True, **fields) -> int:
    connection.capabilities = [
        {"capability": Capability.PROCESS_LIMIT, "available": can, "reason": "" if can else "no"}
    ]
    connection.save()
    guest = stock.guest_make(host=connection.host, host_type=connection.host_type, **fields)
    found = process_limit(guest, connection)
    assert domain_spec(guest, root=VolumeRef("p", "r"), seed=VolumeRef("p", "s")).max_processes == found
    return found


@pytest.fixture
def lxc(db) -> HostConnection:
    return stock.host_make().connections.get(host_type="lxc")


@pytest.mark.parametrize(("memory_mib", "expected"), [(64, 512), (512, 512), (513, 513), (16384, 16384)])
def test_a_container_without_a_number_may_have_one_process_for_each_mib(lxc, memory_mib, expected):
    assert limit(lxc, memory_mib=memory_mib) == expected


def test_the_plans_number_counts(lxc):
    assert limit(lxc, memory_mib=2048, max_processes=60) == 60


def test_a_host_that_cannot_limit_them_still_takes_containers(lxc):
    assert limit(lxc, can=False, memory_mib=2048) == 0


def test_full_machines_have_no_limit():
    kvm = stock.host_make().connections.get(host_type="kvm")
    guest = stock.guest_make(host=kvm.host, host_type="kvm")
    assert domain_spec(guest, root=VolumeRef("p", "r"), seed=VolumeRef("p", "s")).max_processes == 0
