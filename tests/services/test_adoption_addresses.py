"""Addresses of servers that are taken over: which a server may have, and which are never given to another one."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import transaction

from hosts.models import Host, IPAddress, Network
from hosts.services.addresses import addresses_take
from hosts.services.networks import network_edit
from panel.core.errors import CapacityError, InvalidInputError
from tests.faults.deeds import Deeds
from tests.services.adopting import refused
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.services.adoption import AdoptRequest, guest_adopt
from vms.services.adoption_nics import NicRequest
from vms.services.guests import guest_delete

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def found(deeds: Deeds) -> Difference:
    return deeds.found()


@pytest.fixture
def network(one_host: Host) -> Network:
    return one_host.networks.get()


def reserved(deeds: Deeds, network: Network, *addresses: str) -> Network:
    return network_edit(actor=deeds.staff, network=network, changes={"reserved": list(addresses)})


def taken_over(deeds: Deeds, found: Difference, *addresses: str) -> Guest:
    nics = (NicRequest(mac=found.found["nics"][0]["mac"], addresses=addresses),)
    request = AdoptRequest(customer=deeds.customer, nics=nics)
    guest, _ = guest_adopt(actor=deeds.staff, difference=found, request=request)
    assert [job.error_message for job in jobs_run()] == [""]
    return Guest.objects.get(pk=guest.pk)


def deleted(deeds: Deeds, guest: Guest) -> None:
    guest_delete(actor=deeds.staff, guest=guest)
    assert [job.error_message for job in jobs_run()] == [""]


def rows(network: Network) -> set[str]:
    return set(IPAddress.objects.filter(network=network, family=4).values_list("address", flat=True))


def handed_out(network: Network) -> list[str]:
    """Take all IPv4 addresses that the network gives, in turn; none stays taken."""
    given: list[str] = []
    try:
        with transaction.atomic():
            while True:
                taken = addresses_take(network=network, owner_id=network.pk, nic_id=network.pk)
                given.append(taken[0].address)
    except CapacityError:
        return given


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("10.77.0.0", "10.77.0.0 is the network's own address: no server can have it."),
        ("10.77.0.255", "10.77.0.255 is the network's broadcast address: no server can have it."),
        ("10.77.0.1", "10.77.0.1 is the network's gateway: no server can have it."),
        ("fd00:77::", "fd00:77:: is the address of all routers in the network: no server can have it."),
        ("fd00:77::1", "fd00:77::1 is the network's gateway: no server can have it."),
    ],
)
def test_an_address_that_no_server_can_have_is_refused(one_host, customer, deeds, found, address, said):
    nics = (NicRequest(mac=found.found["nics"][0]["mac"], addresses=(address,)),)
    refused(one_host, customer, found, deeds, InvalidInputError, None, nics=nics)
    with pytest.raises(InvalidInputError) as error:
        guest_adopt(actor=deeds.staff, difference=found, request=AdoptRequest(customer=customer, nics=nics))
    assert list(error.value.fields.values()) == [said]


def test_a_reserved_address_comes_with_a_server_and_goes_with_it(deeds, found, network):
    network = reserved(deeds, network, "10.77.0.2-10.77.0.250", "fd00:77::99")
    before = rows(network)
    assert before == {f"10.77.0.{n}" for n in range(251, 255)}
    guest = taken_over(deeds, found, "10.77.0.9", "fd00:77::99")
    network = reserved(deeds, network, "10.77.0.2-10.77.0.251", "fd00:77::99")  # its own is no matter of this edit
    assert rows(network) == {"10.77.0.9", "10.77.0.252", "10.77.0.253", "10.77.0.254"}
    assert set(IPAddress.objects.filter(owner_id=guest.pk).values_list("address", flat=True)) == {
        "10.77.0.9", "fd00:77::99"
    }  # fmt: skip
    deleted(deeds, guest)
    assert rows(network) == before - {"10.77.0.251"}
    assert handed_out(network) == ["10.77.0.252", "10.77.0.253"]  # the last one was seen used


def test_one_that_is_not_reserved_any_more_is_free_when_its_server_is_gone(deeds, found, network):
    network = reserved(deeds, network, "10.77.0.2-10.77.0.253")
    guest = taken_over(deeds, found, "10.77.0.9")
    network = reserved(deeds, network, "10.77.0.10-10.77.0.253")
    with pytest.raises(InvalidInputError) as error:  # as any address that is handed out
        reserved(deeds, network, "10.77.0.9-10.77.0.253")
    assert error.value.fields == {"reserved": "10.77.0.9 is in use by a server."}
    deleted(deeds, guest)
    assert handed_out(network) == [f"10.77.0.{n}" for n in range(2, 10)]


def test_what_an_older_panel_left_free_is_never_handed_out_and_removed(deeds, network):
    network = reserved(deeds, network, "10.77.0.2-10.77.0.252")
    left = {"10.77.0.0": 0, "10.77.0.1": 1, "10.77.0.9": 9, "10.77.0.255": 255}
    for address, order in left.items():
        IPAddress.objects.create(network=network, address=address, family=4, order=order)
    assert handed_out(network) == ["10.77.0.253", "10.77.0.254"]
    import_module("hosts.migrations.0014_addresses_kept_back").kept_back_remove(apps, None)
    assert rows(network) == {"10.77.0.253", "10.77.0.254"}


def test_one_that_an_older_panel_had_given_a_server_goes_with_it(deeds, found, network):
    guest = taken_over(deeds, found)
    IPAddress.objects.filter(owner_id=guest.pk, family=4).delete()
    own = {"network": network, "family": 4, "owner_id": guest.pk, "nic_id": guest.nics.get().pk}
    IPAddress.objects.create(address="10.77.0.0", **own)
    reserved(deeds, network, "10.77.0.2-10.77.0.252")
    deleted(deeds, guest)
    assert rows(network) == {"10.77.0.253", "10.77.0.254"}
