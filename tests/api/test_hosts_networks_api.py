"""Networks, their addresses, and images."""

import uuid

import pytest

from hosts.models import IPAddress, Network
from hosts.services.addresses import addresses_take
from panel.core.models import AuditEntry
from tests.client import problem, queries_of
from tests.stock import guest_make, host_make, image_make, network_make

pytestmark = pytest.mark.django_db

NEW = {
    "name": "public-1",
    "kind": "routed",
    "bridge": "br-public",
    "cidr_v4": "203.0.113.0/24",
    "gateway_v4": "203.0.113.1",
    "cidr_v6": "2001:db8:7::/64",
    "gateway_v6": "2001:db8:7::1",
    "dns_servers": ["9.9.9.9", "2620:FE::FE"],
    "reserved": ["203.0.113.2-203.0.113.9"],
    "mtu": 1500,
}


def taken(network: Network) -> list[str]:
    rows = addresses_take(network=network, owner_id=uuid.uuid4(), nic_id=uuid.uuid4())
    return [row.address for row in rows]


def test_addresses_say_the_names_of_their_guests_in_as_many_queries_for_many(operator_api, customer):
    network = network_make(addresses=20)
    guests = [guest_make(customer, name=f"named-{number}") for number in range(3)]
    for guest in guests:
        addresses_take(network=network, owner_id=guest.pk, nic_id=uuid.uuid4())
    rows = operator_api.get("/addresses", taken="true", family="4").json()["results"]
    assert [(row["guest"], row["guest_name"]) for row in rows] == [(str(one.pk), one.name) for one in guests]
    few = queries_of(lambda: operator_api.get("/addresses", taken="true", limit=1))
    assert queries_of(lambda: operator_api.get("/addresses", taken="true")) <= few


def test_a_network_is_made_with_a_row_for_each_address(admin_api, operator_api):
    host = host_make()
    response = admin_api.post("/networks", NEW | {"hosts": [str(host.pk)]})
    assert response.status_code == 201, response.content
    body = response.json()
    assert response["Location"] == f"/api/v1/networks/{body['id']}"
    assert response["ETag"] == f'"{body["version"]}"'
    assert body["hosts"] == [{"id": str(host.pk), "name": host.name}]
    assert (body["addresses_v4_free"], body["addresses_v4_taken"], body["addresses_v6_taken"]) == (245, 0, 0)
    assert body["reserved"] == [f"203.0.113.{n}" for n in range(2, 10)]
    assert body["dns_servers"] == ["9.9.9.9", "2620:fe::fe"]
    assert (body["enabled"], body["mtu"]) == (True, NEW["mtu"])
    free = operator_api.get("/addresses", network=body["id"], limit=1000).json()["results"]
    assert [a["address"] for a in free] == [f"203.0.113.{n}" for n in range(10, 255)]
    assert AuditEntry.objects.get(action="network.created").object_label == "public-1"
    problem(operator_api.post("/networks", NEW), 403, "permission_denied")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cidr_v4": "203.0.113.1/24"}, "cidr_v4"),
        ({"cidr_v4": "", "gateway_v4": None, "cidr_v6": "", "gateway_v6": None, "reserved": []}, "cidr_v4"),
        ({"gateway_v4": "203.0.114.1"}, "gateway_v4"),
        ({"gateway_v6": None}, "gateway_v6"),
        ({"reserved": ["203.0.113.2", "198.51.100.1"]}, "reserved.1"),
        ({"kind": "nat"}, "kind"),
        ({"bridge": "a bridge"}, "bridge"),
        ({"bridge": "br-that-is-too-long"}, "bridge"),
        ({"vlan": 20}, "vlan"),
        ({"mtu": 100}, "mtu"),
        ({"dns_servers": ["one.one"]}, "dns_servers"),
        ({"hosts": ["00000000-0000-0000-0000-000000000000"]}, "hosts"),
        ({"gateway": "203.0.113.1"}, "gateway"),
    ],
)
def test_a_wrong_network_is_refused_and_nothing_is_made(admin_api, change, field):
    problem(admin_api.post("/networks", NEW | change), 400, "invalid_input", field)
    assert (Network.objects.count(), IPAddress.objects.count()) == (0, 0)


def test_networks_do_not_overlap_nor_share_a_name(admin_api):
    assert admin_api.post("/networks", NEW).status_code == 201
    no_v6: dict[str, object] = {"name": "other", "cidr_v6": "", "gateway_v6": None, "reserved": []}
    half = no_v6 | {"cidr_v4": "203.0.113.128/25", "gateway_v4": "203.0.113.129"}
    body = problem(admin_api.post("/networks", NEW | half), 400, "invalid_input", "cidr_v4")
    assert body["detail"] == "It overlaps network public-1 (203.0.113.0/24)."
    v6: dict[str, object] = {"name": "other", "cidr_v6": "2001:db8::/32", "gateway_v6": "2001:db8::1"}
    v6 |= {"cidr_v4": "10.0.0.0/24", "gateway_v4": "10.0.0.1", "reserved": []}
    problem(admin_api.post("/networks", NEW | v6), 400, "invalid_input", "cidr_v6")
    problem(admin_api.post("/networks", NEW | v6 | {"name": "public-1", "cidr_v6": "", "gateway_v6": None}),
            400, "invalid_input", "name")  # fmt: skip
    assert Network.objects.count() == 1


def test_reserving_takes_free_addresses_away_and_gives_them_back(admin_api):
    network = network_make(addresses=20)
    path = f"/networks/{network.pk}"
    prefix = network.cidr_v4.removesuffix(".0/24")
    before = admin_api.get(path).json()
    assert before["addresses_v4_free"] == 20
    wider = admin_api.patch(path, {"reserved": [*before["reserved"], f"{prefix}.5-{prefix}.7"]}).json()
    assert wider["addresses_v4_free"] == 17
    back = admin_api.patch(path, {"reserved": before["reserved"]}).json()
    assert back["addresses_v4_free"] == 20
    rows = IPAddress.objects.filter(network=network).order_by("order")
    assert [r.address for r in rows] == [f"{prefix}.{n}" for n in range(2, 22)]


def test_a_network_in_use_keeps_its_subnet_and_its_taken_addresses(admin_api):
    network = network_make(addresses=20)
    v4, v6 = taken(network)
    path = f"/networks/{network.pk}"
    before = admin_api.get(path).json()
    assert (before["addresses_v4_taken"], before["addresses_v6_taken"], before["addresses_v4_free"]) == (1, 1, 19)
    body = problem(admin_api.patch(path, {"cidr_v4": "10.77.0.0/24", "gateway_v4": "10.77.0.1", "reserved": []}),
                   409, "invalid_state")  # fmt: skip
    assert body["detail"].startswith(f"2 addresses of network {network.name} are in use.")
    problem(admin_api.patch(path, {"bridge": "other"}), 409, "invalid_state")
    problem(admin_api.delete(path), 409, "invalid_state")
    for address in (v4, v6):
        refused = admin_api.patch(path, {"reserved": [*before["reserved"], address]})
        assert problem(refused, 400, "invalid_input", "reserved")["detail"] == f"{address} is in use by a server."
    assert admin_api.get(path).json() == before
    same = admin_api.patch(path, {"bridge": network.bridge, "name": "renamed", "enabled": False})
    assert (same.status_code, same.json()["name"], same.json()["enabled"]) == (200, "renamed", False)


def test_a_free_network_changes_its_subnet_and_is_deleted(admin_api):
    network = network_make(addresses=20)
    path = f"/networks/{network.pk}"
    body = admin_api.patch(path, {"cidr_v4": "10.77.0.0/29", "gateway_v4": "10.77.0.6", "reserved": []}).json()
    assert body["addresses_v4_free"] == 5
    rows = IPAddress.objects.filter(network=network, family=4).order_by("order").values_list("address", flat=True)
    assert list(rows) == [f"10.77.0.{n}" for n in range(1, 6)]
    problem(admin_api.delete(path, headers={"If-Match": '"99"'}), 412, "version_mismatch")
    assert admin_api.delete(path).status_code == 204
    problem(admin_api.get(path), 404, "not_found")
    assert IPAddress.objects.count() == 0


def test_addresses_are_found_by_network_state_and_text(operator_api):
    network, other = network_make(addresses=20), network_make(addresses=3)
    v4, v6 = taken(network)
    prefix = network.cidr_v4.removesuffix("0/24")

    def found(**query) -> list[str]:
        response = operator_api.get("/addresses", limit=1000, **query)
        assert response.status_code == 200, response.content
        return [row["address"] for row in response.json()["results"]]

    assert len(found()) == 24
    assert found(network=other.pk) == [other.cidr_v4.removesuffix("0/24") + str(n) for n in (2, 3, 4)]
    assert found(taken="true") == [v4, v6]
    assert found(taken="true", family="6") == [v6]
    assert len(found(network=network.pk, taken="false")) == 19
    assert found(search=v4) == [v4]
    assert found(search=v6.upper()) == [v6]
    assert found(search=prefix) == [v4, *(f"{prefix}{n}" for n in range(3, 22))]
    assert found(search=f"{prefix}16/30") == [f"{prefix}{n}" for n in (16, 17, 18, 19)]
    row = operator_api.get("/addresses", search=v4).json()["results"][0]
    assert row["network"] == {"id": str(network.pk), "name": network.name}
    assert row["guest_name"] is None
    assert found(guest=row["guest"]) == [v4, v6]
    problem(operator_api.get("/addresses", taken="perhaps"), 400, "invalid_input", "taken")
    problem(operator_api.get("/addresses", family="5"), 400, "invalid_input", "family")
    problem(operator_api.get("/addresses", search="1\0"), 400, "invalid_input", "search")


def test_addresses_page_in_their_numeric_order(operator_api):
    network_make(addresses=30)
    first = operator_api.get("/addresses", limit=12).json()
    rest = operator_api.get("/addresses", limit=100, cursor=first["next"]).json()
    last = [int(row["address"].rsplit(".", 1)[1]) for row in first["results"] + rest["results"]]
    assert last == list(range(2, 32))
    assert rest["next"] is None


def test_customers_see_images_that_can_be_ordered_and_staff_see_all(viewer_api, billing_api, operator_api):
    ready = image_make(slug="debian-12")
    broken = image_make(slug="broken", state="error", host_types=["kvm"])
    for api in (viewer_api, billing_api):
        body = api.get("/images").json()
        assert [(i["slug"], i["on_hosts"]) for i in body["results"]] == [("debian-12", None)]
        assert api.get("/images/debian-12").json()["id"] == str(ready.pk)
        problem(api.get(f"/images/{broken.pk}"), 404, "not_found")
        problem(api.get("/images/broken"), 404, "not_found")
    body = operator_api.get("/images").json()
    assert [(i["slug"], i["state"], i["on_hosts"]) for i in body["results"]] == [
        ("broken", "error", []),
        ("debian-12", "ready", []),
    ]
    assert [i["slug"] for i in operator_api.get("/images", host_type="lxc").json()["results"]] == ["debian-12"]
    assert [i["slug"] for i in operator_api.get("/images", state="error").json()["results"]] == ["broken"]
    problem(operator_api.get("/images/no such image"), 404, "not_found")
    problem(operator_api.get("/images/%00"), 404, "not_found")


def test_an_image_is_retired_once_and_gone_for_customers(admin_api, operator_api, viewer_api):
    image = image_make(slug="debian-12")
    problem(operator_api.post("/images/debian-12/actions/retire"), 403, "permission_denied")
    problem(viewer_api.post("/images/debian-12/actions/retire"), 403, "permission_denied")
    for _ in range(2):
        response = admin_api.post("/images/debian-12/actions/retire")
        assert (response.status_code, response.json()["state"]) == (200, "retired")
    assert AuditEntry.objects.filter(object_id=image.pk, action="image.retired").count() == 1
    assert viewer_api.get("/images").json()["results"] == []
    building = image_make(state="building")
    problem(admin_api.post(f"/images/{building.pk}/actions/retire"), 409, "invalid_state")
