"""``/search``: everything in one box, and nothing of others."""

import pytest

from hosts.models import IPAddress
from tests import factories, stock
from tests.client import problem
from vms.models import Nic

pytestmark = pytest.mark.django_db


@pytest.fixture
def guest(customer):
    host = stock.host_make(name="rack-7")
    network = stock.network_make(host, addresses=5)
    guest = stock.guest_make(customer, name="web-shop", host=host, external_id="order-9")
    nic = Nic.objects.create(guest=guest, network=network, mac="52:54:00:aa:bb:cc")
    address = IPAddress.objects.filter(network=network, family=4).order_by("order")[0]
    IPAddress.objects.filter(pk=address.pk).update(owner_id=guest.pk, nic_id=nic.pk)
    guest.address = address.address  # type: ignore[attr-defined]
    return guest


def found(api, text: str) -> set[tuple[str, str]]:
    response = api.get("/search", q=text)
    assert response.status_code == 200, response.content
    return {(row["type"], row["id"]) for row in response.json()["results"]}


def test_a_server_is_found_by_all_its_names(owner_api, stranger_api, guest):
    for text in ("SHOP", guest.address, "52:54:00:AA:BB:CC", str(guest.pk), "order-9"):
        assert found(owner_api, text) == {("guest", str(guest.pk))}, text
        assert found(stranger_api, text) == set(), text


def test_hosts_are_for_staff_customers_and_jobs_for_those_who_see_them(
    operator_api, billing_api, owner_api, customer, guest
):
    job = factories.job_make(customer=customer)
    assert found(operator_api, "rack-7") == {("host", str(guest.host_id))}
    assert found(billing_api, "rack-7") == found(owner_api, "rack-7") == set()
    assert found(owner_api, customer.name) == {("customer", str(customer.pk))}
    assert found(billing_api, str(customer.pk)) == {("customer", str(customer.pk))}
    assert found(owner_api, str(job.pk)) == {("job", str(job.pk))}


def test_what_is_called_exactly_so_comes_first_however_many_contain_it(owner_api, customer):
    for name in ("a-web-1", "b-web-1", "c-web-1", "d-web-1", "e-web-1", "f-web-1", "web-10", "web-1"):
        stock.guest_make(customer, name=name)
    names = [row["name"] for row in owner_api.get("/search", q="web-1").json()["results"]]
    assert names == ["web-1", "web-10", "a-web-1", "b-web-1", "c-web-1", "d-web-1"]


def test_nothing_to_look_for(owner_api):
    problem(owner_api.get("/search"), 400, "invalid_input", "q")
    problem(owner_api.get("/search", q="a\0"), 400, "invalid_input", "q")
