"""``/customers``: who may make, see, change and delete them."""

import pytest
from django.db import connection

from panel.core.models import ApiToken, AuditEntry, Customer, Membership, SshKey
from tests import factories, stock
from tests.client import problem

pytestmark = pytest.mark.django_db


def audit_of(object_id) -> list[str]:
    return list(AuditEntry.objects.filter(object_id=object_id).order_by("at").values_list("action", flat=True))


def test_staff_make_a_customer(admin_api):
    response = admin_api.post("/customers", {"name": "Ada Ltd", "email": "ada@example.com", "quota": {"guests": 3}})
    body = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"/api/v1/customers/{body['id']}"
    assert response["ETag"] == '"1"'
    assert (body["name"], body["email"], body["external_id"], body["role"]) == (
        "Ada Ltd",
        "ada@example.com",
        None,
        None,
    )
    assert body["quota"] == {"guests": 3, "vcpus": None, "memory_mib": None, "disk_gib": None, "addresses": None}
    assert set(body["used"].values()) == {0}
    assert admin_api.get(f"/customers/{body['id']}").json() == body
    assert audit_of(body["id"]) == ["customer.created"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "A", "email": "no address"}, "email"),
        ({"name": "A", "quota": {"guests": -1}}, "quota.guests"),
        ({"name": "A", "quota": {"gpus": 1}}, "quota.gpus"),
        ({"name": "A", "is_house": True}, "is_house"),
        ({"name": "A", "used": {}}, "used"),
    ],
)
def test_bad_input_names_the_field_and_makes_nothing(admin_api, body, field):
    problem(admin_api.post("/customers", body), 400, "invalid_input", field)
    assert Customer.objects.count() == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff"])
def test_a_body_that_is_no_object_is_a_problem(admin_api, body):
    assert admin_api.post("/customers", body).status_code == 400


def test_a_billing_system_repeats_itself_safely(billing_api):
    order = {"name": "Ada Ltd", "external_id": "4711"}
    first, again = billing_api.post("/customers", order), billing_api.post("/customers", order)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = billing_api.post("/customers", {"name": "Bob Ltd", "external_id": "4711"})
    body = problem(other, 409, "external_id_conflict")
    assert body["customer_id"] == first.json()["id"]
    assert Customer.objects.get().name == "Ada Ltd"
    assert audit_of(first.json()["id"]) == ["customer.created"]


def test_an_external_id_that_an_integration_sets_is_its_own(api_of, admin_api):
    one, two = factories.client_make(), factories.client_make()
    made = api_of(one).post("/customers", {"name": "A", "external_id": "1"}).json()
    theirs = api_of(two).post("/customers", {"name": "B", "external_id": "2"}).json()
    by_hand = admin_api.post("/customers", {"name": "C"}).json()
    path = f"/customers/{by_hand['id']}"

    def found(client, external_id: str) -> list[str]:
        return [row["id"] for row in api_of(client).get("/customers", external_id=external_id).json()["results"]]

    problem(api_of(one).patch(path, {"external_id": "1"}), 409, "external_id_conflict")
    assert Customer.objects.get(pk=by_hand["id"]).external_id is None
    assert api_of(one).patch(path, {"external_id": "3"}).status_code == 200
    assert (found(one, "3"), found(two, "3")) == ([by_hand["id"]], [])
    again = api_of(one).post("/customers", {"name": "C", "external_id": "3"})
    assert (again.status_code, again.json()["id"]) == (200, by_hand["id"])
    problem(admin_api.patch(path, {"external_id": "1"}), 409, "external_id_conflict")  # it stays theirs
    assert admin_api.patch(path, {"external_id": "4"}).status_code == 200
    assert found(one, "4") == [by_hand["id"]]
    assert api_of(two).patch(f"/customers/{made['id']}", {"external_id": "1"}).status_code == 200
    assert (found(one, "1"), found(two, "1"), found(two, "2")) == ([], [made["id"]], [theirs["id"]])
    unnamed = factories.customer_make()
    assert admin_api.patch(f"/customers/{unnamed.pk}", {"external_id": "1"}).status_code == 200
    problem(
        admin_api.patch(f"/customers/{factories.customer_make().pk}", {"external_id": "1"}), 409, "external_id_conflict"
    )


def test_external_ids_belong_to_their_client(api_of):
    one, two = factories.client_make(), factories.client_make()
    made = [api_of(client).post("/customers", {"name": "A", "external_id": "1"}) for client in (one, two)]
    assert [response.status_code for response in made] == [201, 201]
    found = api_of(two).get("/customers", external_id="1").json()["results"]
    assert [row["id"] for row in found] == [made[1].json()["id"]]
    new_token = api_of(one).post("/customers", {"name": "A", "external_id": "1"})
    assert (new_token.status_code, new_token.json()["id"]) == (200, made[0].json()["id"])


def test_search_by_part_of_the_name(admin_api):
    names = ["Alpha Hosting", "Beta GmbH", "alphabet soup"]
    for name in names:
        factories.customer_make(name=name)
    found = admin_api.get("/customers", search="ALPHA", sort="name").json()["results"]
    assert [row["name"] for row in found] == ["Alpha Hosting", "alphabet soup"]
    assert admin_api.get("/customers", search="%").json()["results"] == []
    problem(admin_api.get("/customers", serach="alpha"), 400, "invalid_input", "serach")


def test_search_asks_for_what_is_indexed(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'core_customer_name_trgm'")
        ((definition,),) = cursor.fetchall()
    assert definition.endswith("USING gin (upper((name)::text) gin_trgm_ops)")
    assert 'UPPER("core_customer"."name"::text) LIKE' in str(Customer.objects.filter(name__icontains="lph").query)


def test_an_owner_sees_their_own_customer_only(owner_api, customer):
    other = factories.customer_make()
    assert [row["id"] for row in owner_api.get("/customers").json()["results"]] == [str(customer.pk)]
    assert owner_api.get(f"/customers/{customer.pk}").json()["role"] == "owner"
    problem(owner_api.get(f"/customers/{other.pk}"), 404, "not_found")
    problem(owner_api.patch(f"/customers/{other.pk}", {"name": "mine"}), 404, "not_found")
    problem(owner_api.post("/customers", {"name": "another"}), 403, "permission_denied")
    problem(owner_api.delete(f"/customers/{customer.pk}"), 403, "permission_denied")
    assert Customer.objects.count() == 2


def test_an_owner_renames_but_sets_no_quota(owner_api, customer):
    assert owner_api.patch(f"/customers/{customer.pk}", {"name": "New name"}).json()["name"] == "New name"
    refused = owner_api.patch(f"/customers/{customer.pk}", {"quota": {"guests": 99}})
    problem(refused, 400, "invalid_input", "quota.guests")
    problem(owner_api.patch(f"/customers/{customer.pk}", {"external_id": "x"}), 400, "invalid_input", "external_id")
    customer.refresh_from_db()
    assert (customer.quota_guests, customer.external_id) == (None, None)


def test_a_member_changes_nothing_of_the_customer(member_api, customer):
    problem(member_api.patch(f"/customers/{customer.pk}", {"name": "x"}), 403, "permission_denied")


def test_staff_change_single_limits(admin_api, customer):
    path = f"/customers/{customer.pk}"
    admin_api.patch(path, {"quota": {"guests": 3, "vcpus": 8}})
    body = admin_api.patch(path, {"quota": {"guests": None}}).json()
    assert (body["quota"]["guests"], body["quota"]["vcpus"], body["version"]) == (None, 8, 3)
    assert admin_api.patch(path, {}).json()["version"] == 3


def test_if_match_refuses_a_stale_change(admin_api, customer):
    path = f"/customers/{customer.pk}"
    stale = admin_api.get(path)["ETag"]
    assert admin_api.patch(path, {"name": "B"}, headers={"If-Match": stale}).status_code == 200
    body = problem(admin_api.patch(path, {"name": "C"}, headers={"If-Match": stale}), 412, "version_mismatch")
    assert body["version"] == 2
    problem(admin_api.delete(path, headers={"If-Match": stale}), 412, "version_mismatch")
    assert admin_api.get(path).json()["name"] == "B"
    assert admin_api.patch(path, {"name": "C"}, headers={"If-Match": "*"}).status_code == 200


def test_a_customer_with_servers_stays(admin_api, customer):
    Customer.objects.filter(pk=customer.pk).update(used_guests=2)
    body = problem(admin_api.delete(f"/customers/{customer.pk}"), 409, "invalid_state")
    assert body["guests"] == 2
    assert admin_api.get(f"/customers/{customer.pk}").status_code == 200


def test_a_customer_with_a_running_job_and_the_house_stay(admin_api, customer):
    factories.job_make(customer=customer)
    problem(admin_api.delete(f"/customers/{customer.pk}"), 409, "invalid_state")
    problem(admin_api.delete(f"/customers/{factories.house_make().pk}"), 409, "invalid_state")


def test_a_deleted_customer_is_gone_for_everybody_and_its_id_free_again(billing_api, api_of):
    made = billing_api.post("/customers", {"name": "A", "external_id": "7"}).json()
    customer = Customer.objects.get(pk=made["id"])
    member = factories.member_make(customer)
    owner = api_of(member)
    factories.ssh_key_make(customer)
    stock.guest_make(customer, lifecycle="deleted")  # a server of the past keeps the row
    assert billing_api.delete(f"/customers/{made['id']}").status_code == 204
    problem(billing_api.get(f"/customers/{made['id']}"), 404, "not_found")
    problem(owner.get(f"/customers/{made['id']}"), 401, "not_authenticated")
    assert not ApiToken.objects.filter(client__user=member, revoked_at__isnull=True).exists()
    assert not Membership.objects.filter(customer=customer).exists()
    assert not SshKey.objects.filter(customer=customer).exists()
    again = billing_api.post("/customers", {"name": "A", "external_id": "7"})
    assert (again.status_code, again.json()["id"] != made["id"]) == (201, True)
    customer.refresh_from_db()
    assert customer.quota_guests == 0  # a creation that began before finds no room
    assert audit_of(customer.pk) == ["customer.created", "customer.deleted"]
