"""``/tokens`` and ``/clients``: made once, shown once, ended at once."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from panel.core.maintenance import daily_maintenance
from panel.core.models import ApiToken, AuditEntry
from panel.core.people import token_use
from tests import factories
from tests.client import ApiUser, problem

pytestmark = pytest.mark.django_db


def test_a_token_is_shown_once_and_kept_as_an_hmac(owner_api):
    response = owner_api.post("/tokens", {"name": "script"})
    body = response.json()
    assert response.status_code == 201
    value = body["token"]
    assert len(value) == 64
    assert value.isascii()
    assert value.isalnum()
    assert (body["prefix"], body["scope"], body["expires_at"]) == (value[:16], "write", None)
    row = ApiToken.objects.get(pk=body["id"])
    assert value[16:] not in "".join(str(v) for v in row.__dict__.values())
    assert "token" not in owner_api.get(f"/tokens/{body['id']}").json()
    assert ApiUser(value).get("/me").status_code == 200
    entry = AuditEntry.objects.get(action="token.created")
    assert value[16:] not in str(entry.changes)


def test_scope_expiry_and_bad_input(owner_api):
    later = (timezone.now() + timedelta(days=1)).isoformat()
    body = owner_api.post("/tokens", {"name": "t", "scope": "read", "expires_at": later}).json()
    reader = ApiUser(body["token"])
    assert reader.get("/me").json()["read_only"] is True
    problem(reader.post("/tokens", {"name": "more"}), 403, "permission_denied")
    past = (timezone.now() - timedelta(days=1)).isoformat()
    problem(owner_api.post("/tokens", {"name": "t", "expires_at": past}), 400, "invalid_input", "expires_at")
    problem(owner_api.post("/tokens", {"name": "t", "scope": "all"}), 400, "invalid_input", "scope")
    problem(owner_api.post("/tokens", {}), 400, "invalid_input", "name")


def test_an_expired_a_revoked_and_a_wrong_token_are_nobody(expired_api, owner_api):
    problem(expired_api.get("/me"), 401, "not_authenticated")
    made = owner_api.post("/tokens", {"name": "t"}).json()
    api = ApiUser(made["token"])
    assert api.get("/me").status_code == 200
    assert owner_api.delete(f"/tokens/{made['id']}").status_code == 204
    problem(api.get("/me"), 401, "not_authenticated")
    assert owner_api.get(f"/tokens/{made['id']}").json()["revoked_at"] is not None
    for wrong in ("short", "é" * 64, "A" * 64, made["token"][:16] + "x" * 48):
        assert ApiUser(wrong).get("/me").status_code == 401
    response = ApiUser("A" * 64).get("/me")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_everybody_sees_their_own_tokens_staff_all(owner_api, stranger_api, admin_api, operator_api):
    mine = owner_api.post("/tokens", {"name": "mine"}).json()
    assert mine["id"] in [row["id"] for row in owner_api.get("/tokens").json()["results"]]
    problem(stranger_api.get(f"/tokens/{mine['id']}"), 404, "not_found")
    problem(stranger_api.delete(f"/tokens/{mine['id']}"), 404, "not_found")
    assert operator_api.get(f"/tokens/{mine['id']}").status_code == 200
    problem(operator_api.delete(f"/tokens/{mine['id']}"), 403, "permission_denied")
    found = admin_api.get("/tokens", client=mine["client"]).json()["results"]
    assert {row["client"] for row in found} == {mine["client"]}
    assert admin_api.delete(f"/tokens/{mine['id']}").status_code == 204


def test_members_and_billing_systems_have_no_tokens_to_manage(member_api, viewer_api, billing_api):
    for api in (member_api, viewer_api, billing_api):
        problem(api.get("/tokens"), 403, "permission_denied")
        problem(api.post("/tokens", {"name": "t"}), 403, "permission_denied")


def test_an_admin_connects_a_billing_system(admin_api):
    client = admin_api.post("/clients", {"name": "WHMCS", "role": "billing"}).json()
    token = admin_api.post("/tokens", {"name": "live", "client": client["id"]}).json()
    api = ApiUser(token["token"])
    assert api.get("/me").json()["client_role"] == "billing"
    assert api.post("/customers", {"name": "A"}).status_code == 201
    problem(api.get("/audit"), 403, "permission_denied")
    assert admin_api.patch(f"/clients/{client['id']}", {"is_active": False}).json()["is_active"] is False
    problem(api.get("/me"), 401, "not_authenticated")
    problem(admin_api.post("/tokens", {"name": "t", "client": client["id"]}), 400, "invalid_input", "client")


def test_only_admins_make_clients_and_never_for_people(owner_api, operator_api, admin_api, customer):
    for api in (owner_api, operator_api):
        problem(api.post("/clients", {"name": "x", "role": "admin"}), 403, "permission_denied")
    problem(admin_api.post("/clients", {"name": "x", "role": ""}), 400, "invalid_input", "role")
    theirs = owner_api.get("/me").json()["client"]
    problem(admin_api.post("/tokens", {"name": "t", "client": theirs}), 404, "not_found")
    problem(admin_api.get(f"/clients/{theirs}"), 404, "not_found")
    other = admin_api.post("/clients", {"name": "x", "role": "billing"}).json()["id"]
    problem(owner_api.post("/tokens", {"name": "t", "client": other}), 403, "permission_denied")


def test_use_from_a_new_address_is_audited_once(owner_api):
    made = owner_api.post("/tokens", {"name": "t"}).json()
    api = ApiUser(made["token"])
    api.get("/me")
    api.get("/me")
    entry = AuditEntry.objects.get(action="token.used-from-new-address", object_id=made["id"])
    assert (entry.address, entry.changes) == ("127.0.0.1", {"address": [None, "127.0.0.1"]})
    row = ApiToken.objects.get(pk=made["id"])
    assert row.last_used_at is not None
    assert row.last_used_address == "127.0.0.1"


def uses(made):
    entries = AuditEntry.objects.filter(action="token.used-from-new-address", object_id=made.token.pk).order_by("at")
    return [entry.address for entry in entries]


def use(made, address: str) -> None:
    assert ApiUser(made.value, browser=Client(REMOTE_ADDR=address)).get("/me").status_code == 200


def test_an_address_is_new_to_a_token_only_once(customer, monkeypatch):
    made = factories.token_make(factories.member_make(customer))
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "192.0.2.1"):
        use(made, address)
    assert uses(made) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    other = factories.token_make(factories.member_make(customer))
    use(other, "192.0.2.1")
    assert uses(other) == ["192.0.2.1"]
    monkeypatch.setattr(token_use, "KEPT", 2)
    use(made, "192.0.2.3")
    assert sorted(made.token.networks.values_list("network", flat=True)) == ["192.0.2.3", "2001:db8::/64"]


def test_the_addresses_of_ended_tokens_are_forgotten(customer):
    tokens = [factories.token_make(factories.member_make(customer)) for _ in range(3)]
    for made in tokens:
        use(made, "192.0.2.1")
    now = timezone.now()
    ApiToken.objects.filter(pk=tokens[0].token.pk).update(revoked_at=now)
    ApiToken.objects.filter(pk=tokens[1].token.pk).update(expires_at=now)
    daily_maintenance()
    assert [made.token.networks.count() for made in tokens] == [0, 0, 1]


def test_a_token_follows_its_owners_role(customer, api_of, owner_api):
    user = factories.member_make(customer, "owner")
    api = api_of(user)
    assert api.patch(f"/customers/{customer.pk}", {"name": "x"}).status_code == 200
    user.memberships.update(role="viewer")
    problem(api.patch(f"/customers/{customer.pk}", {"name": "y"}), 403, "permission_denied")
