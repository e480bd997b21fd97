"""After a restore no address is given out that a server uses which the restored panel does not know."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.models import Host, HostConnection, IPAddress, Network
from hosts.registry import driver_of
from hosts.services import observation
from hosts.services.addresses import SEEN_USED_FOR
from hosts.services.restored import GIVEN_UP_AFTER
from panel.core.errors import CapacityError, DriverError, NotReadyError
from panel.core.models import Customer, Job
from tests import factories
from tests.client import problem
from tests.services.guests import order
from tests.services.restored import restore_to_before
from tests.simulated_fleet import jobs_run
from vms.models import Comparison, Difference, Guest
from vms.operations.survey import compare_connection, compare_in_turn
from vms.services.reconcile.turns import turn_take

pytestmark = pytest.mark.django_db(transaction=True)
SAID = "The panel was restored a moment ago and first looks at its hosts. Try again in a minute."
ORDER = {
    "name": "web-9", "host_type": "kvm", "vcpus": 1, "memory_mib": 256, "disk_gib": 2, "image": "micro",
    "ssh_keys": [factories.ED25519],
}  # fmt: skip


def compare(host: Host) -> None:
    for row in HostConnection.objects.filter(host=host):
        compare_connection(driver_of(row), row)


def addresses_of(guest: Guest) -> set[str]:
    return set(IPAddress.objects.filter(owner_id=guest.pk).values_list("address", flat=True))


@pytest.fixture
def ordered(customer: Customer) -> Callable[[], set[str]]:
    """Order a server; return its addresses."""
    return lambda: addresses_of(order(customer, name="web-9").guest)


def test_an_order_at_once_is_refused_and_taken_when_all_hosts_were_looked_at(guest, one_host, customer, admin_api):
    used = restore_to_before(guest)
    assert len(used) == 2
    headers, wanted = {"Idempotency-Key": "order-1"}, ORDER | {"customer": str(customer.pk)}
    answer = admin_api.post("/guests", wanted, headers=headers)
    assert (problem(answer, 503, "not_ready")["detail"], answer["Retry-After"]) == (SAID, "30")
    assert admin_api.post("/guests?dry_run=true", wanted).json()["reason"] == SAID
    assert Guest.objects.count() == Job.objects.count() == 0
    assert Customer.objects.filter(used_guests__gt=0).count() == 0
    assert Host.objects.get().used_vcpus == 0
    found = {one["code"]: one for one in admin_api.get("/health").json()["items"]}
    said = "1 host has not been looked at since the panel was restored."
    assert found["hosts_uncompared"]["sentence"] == said
    kvm, lxc = HostConnection.objects.filter(host=one_host).order_by("host_type")
    compare_connection(driver_of(kvm), kvm)
    problem(admin_api.post("/guests", wanted, headers=headers), 503, "not_ready")
    compare_connection(driver_of(lxc), lxc)
    taken = admin_api.post("/guests", wanted, headers=headers)
    assert taken.status_code == 202
    assert {one["address"] for one in taken.json()["guest"]["addresses"]}.isdisjoint(used)
    assert "hosts_uncompared" not in [one["code"] for one in admin_api.get("/health").json()["items"]]
    listed = Difference.objects.filter(kind="address-not-allocated", state="open")
    assert set(listed.values_list("label", flat=True)) == used


def test_a_panel_that_was_never_restored_waits_for_nothing(one_host, ordered):
    assert len(ordered()) == 2
    assert HostConnection.objects.exclude(uncompared_since=None).count() == 0


def test_a_host_that_does_not_answer_keeps_nobody_waiting_until_it_is_back(guest, one_host, fleet, ordered):
    other = fleet.host()
    Network.objects.get().hosts.add(other)
    HostConnection.objects.update(last_error="It did not answer yesterday.")
    used = restore_to_before(guest)
    compare(one_host)
    with pytest.raises(NotReadyError):
        ordered()  # nobody knows yet whether the other one answers
    for row in HostConnection.objects.filter(host=other):
        observation.connection_silent(connection=row, error="The host does not answer.", at=timezone.now())
    assert ordered().isdisjoint(used)
    for row in HostConnection.objects.filter(host=other):
        observation.host_seen(connection=row, at=timezone.now())
    with pytest.raises(NotReadyError):
        ordered()
    compare(other)
    assert ordered().isdisjoint(used)


def test_other_networks_need_not_wait(guest, one_host, fleet, customer):
    restore_to_before(guest)
    calm = fleet.host(limit_vcpus=1000)
    fleet.network(calm, cidr_v4="10.78.0.0/24", cidr_v6="fd00:78::/64")
    with pytest.raises(NotReadyError):
        order(customer, name="here", host=one_host)
    assert order(customer, name="there").guest.host == calm


def test_a_host_that_cannot_be_compared_is_given_up_after_a_while(guest, one_host, fleet, ordered):
    restore_to_before(guest)
    fleet.admin.set_fault(one_host.name, "domain_descriptions", FaultKind.ERROR, error=DriverError, times=0)

    def fails() -> None:
        for row in HostConnection.objects.filter(host=one_host):
            with pytest.raises(DriverError):
                compare_connection(driver_of(row), row, anew=True)

    fails()
    with pytest.raises(NotReadyError):
        ordered()
    HostConnection.objects.update(uncompared_since=timezone.now() - GIVEN_UP_AFTER - timedelta(seconds=1))
    with pytest.raises(NotReadyError):
        ordered()
    fails()
    assert len(ordered()) == 2


def test_a_comparison_that_began_before_the_restore_is_none(guest, one_host, kvm, ordered):
    turn = turn_take(kvm, anew=True)
    assert turn is not None
    restore_to_before(guest)
    HostConnection.objects.exclude(pk=kvm.pk).update(uncompared_since=None)
    compare_in_turn(driver_of(kvm), kvm, turn)
    with pytest.raises(NotReadyError):
        ordered()
    assert Comparison.objects.get(connection=kvm).began_at is None  # it is due at once
    compare(one_host)
    assert len(ordered()) == 2


def test_an_ipv6_address_in_use_is_not_given_out_of_a_small_subnet(fleet, customer):
    host = fleet.host()
    fleet.image(on=(host,))
    network = fleet.network(host, cidr_v4="", cidr_v6="fd00:88::/120")
    guest = order(customer).guest
    jobs_run()
    (used,) = restore_to_before(guest)
    left = {f"fd00:88::{number:x}" for number in range(2, 256)} - {used}
    (free, *others) = sorted(left)
    compare(host)
    IPAddress.objects.bulk_create(
        IPAddress(network=network, address=one, family=6, owner_id=guest.pk) for one in others
    )
    assert addresses_of(order(customer, name="web-8").guest) == {free}
    with pytest.raises(CapacityError, match="no IPv6 address is left"):
        order(customer, name="web-9")
    long_ago = timezone.now() - SEEN_USED_FOR - timedelta(minutes=1)
    IPAddress.objects.filter(address=used).update(seen_used_at=long_ago)
    assert addresses_of(order(customer, name="web-9").guest) == {used}


def test_ipv6_addresses_seen_used_are_no_allocations(guest, one_host, admin_api):
    used = restore_to_before(guest)
    compare(one_host)
    rows = IPAddress.objects.filter(family=6)
    assert [(row.address in used, row.owner_id) for row in rows] == [(True, None)]
    (shown,) = admin_api.get("/networks").json()["results"]
    assert shown["addresses_v6_taken"] == 0
    assert all(row["family"] == 4 for row in admin_api.get("/addresses", limit=1000).json()["results"])
    rows.update(seen_used_at=timezone.now() - SEEN_USED_FOR - timedelta(minutes=1))
    restored = HostConnection.objects.filter(host=one_host, host_type="lxc").get()
    compare_connection(driver_of(restored), restored, anew=True)
    assert rows.count() == 0
