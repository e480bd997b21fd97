"""Addresses, capacity and quota are exact however many ask at once: real threads, real connections."""

from collections import Counter
from uuid import uuid4

import pytest
from django.db import transaction

from hosts.models import Host, Image, IPAddress, StoragePool
from panel.core.actors import Actor
from panel.core.errors import PanelError
from panel.core.models import Customer, Job
from tests import factories
from tests.concurrency.http import at_once
from vms.models import Guest, Nic
from vms.services.guests import guest_create

pytestmark = pytest.mark.django_db(transaction=True)
NO_HOST = "no_capacity: No host can take this server at the moment"
AT_ONCE = 25  # connections; the rest follows as these end


@pytest.fixture
def image(fleet) -> Image:
    return fleet.image()


def order_many(count: int, customers: list[Customer], actor: Actor, image: Image) -> Counter[str]:
    """Order ``count`` servers at once, in turn for each customer; return how each order ended: made, or the reason."""

    def one(number: int) -> str:
        try:
            with transaction.atomic():
                guest_create(
                    actor=actor,
                    customer=customers[number % len(customers)],
                    name=f"web-{number}",
                    host_type="kvm",
                    vcpus=1,
                    memory_mib=256,
                    disk_gib=2,
                    image=image,
                    ssh_keys=[factories.ED25519],
                )
        except PanelError as error:
            return f"{error.code}: {error}"
        return "made"

    return Counter(at_once(count, one, threads=AT_ONCE))


def staff() -> Actor:
    return factories.actor_make(factories.staff_make())


def customers(count: int) -> list[Customer]:
    return [factories.customer_make() for _ in range(count)]


def consistent(hosts: list[Host]) -> None:
    """What is noted as used is what the guests have, and nothing is given out twice."""
    for host in hosts:
        host.refresh_from_db()
        guests = Guest.objects.filter(host=host)
        assert host.used_vcpus == guests.count()
        assert host.used_memory_mib == 256 * guests.count()
        assert StoragePool.objects.get(host=host).used_gib == 2 * guests.count()
        assert host.used_vcpus <= host.limit_vcpus
    made = Guest.objects.count()
    macs = list(Nic.objects.values_list("mac", flat=True))
    assert len(set(macs)) == len(macs) == made
    assert Job.objects.filter(action="guest.create").count() == made
    for customer in Customer.objects.all():
        assert customer.used_guests == Guest.objects.filter(customer=customer).count()


def test_50_orders_for_20_addresses_make_20_guests(fleet, image):
    hosts = [fleet.host(), fleet.host()]
    # Of the 30 usable addresses of a /27 the network has its gateway and these; 20 are left.
    fleet.network(*hosts, name="shop", cidr_v4="10.78.0.0/27", reserved=["10.78.0.2-10.78.0.10"])
    ended = order_many(50, customers(5), staff(), image)
    refusal = "no_capacity: No host can take this server at the moment: no address is left."
    assert ended == {"made": 20, refusal: 30}
    taken = IPAddress.objects.filter(owner_id__isnull=False)
    assert len({a.address for a in taken if ":" not in str(a.address)}) == 20
    assert len({a.address for a in taken}) == 40
    consistent(hosts)


def test_50_orders_with_a_quota_of_10_make_10_guests(fleet, image):
    host = fleet.host()
    fleet.network(host)
    customer = factories.customer_make(quota_guests=10)
    refusal = "quota_exceeded: Your quota is 10 servers, and 10 are in use."
    assert order_many(50, [customer], staff(), image) == {"made": 10, refusal: 40}
    consistent([host])


@pytest.mark.parametrize(
    ("limits", "why"),
    [({"limit_vcpus": 6}, "not enough vCPUs are left"), ({"limit_memory_mib": 6 * 256}, "not enough memory is left")],
)
def test_50_orders_for_capacity_of_12_make_12_guests(fleet, image, limits, why):
    hosts = [fleet.host(**limits), fleet.host(**limits)]
    fleet.network(*hosts)
    assert order_many(50, customers(5), staff(), image) == {"made": 12, f"{NO_HOST}: {why}.": 38}
    consistent(hosts)


def test_50_orders_for_a_pool_of_20_gib_make_10_guests(fleet, image):
    host = fleet.host()
    StoragePool.objects.filter(host=host).update(limit_gib=20)
    fleet.network(host)
    assert order_many(50, customers(5), staff(), image) == {
        "made": 10,
        f"{NO_HOST}: not enough disk space is left.": 40,
    }
    consistent([host])


def test_all_get_what_they_ask_for_when_there_is_enough(fleet, image):
    hosts = [fleet.host(), fleet.host(), fleet.host()]
    fleet.network(*hosts)
    assert order_many(50, customers(5), staff(), image) == {"made": 50}
    consistent(hosts)


def test_a_small_ipv6_subnet_is_used_up_to_its_last_address(fleet, image):
    host = fleet.host()
    reserved = [f"fd00:79::{number:x}" for number in range(2, 242)]
    network = fleet.network(host, cidr_v4="10.79.0.0/24", cidr_v6="fd00:79::/120", reserved=reserved)
    # 14 addresses are left; an IPv4 place of 100 and more is no free one here.
    IPAddress.objects.filter(network=network, family=4, order__lt=100).update(owner_id=uuid4())
    ended = order_many(20, customers(2), staff(), image)
    assert ended["made"] == 14
    assert sum(ended.values()) == 20
    assert IPAddress.objects.filter(network=network, family=6).count() == 14
    assert not IPAddress.objects.filter(network=network, address="fd00:79::1", family=6).exists()
