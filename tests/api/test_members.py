"""``/customers/{id}/members``: adding, roles, removing; never the last owner."""

import pytest
from django.test import Client

from panel.core.models import AuditEntry, Membership, User
from tests import factories
from tests.client import problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(customer) -> str:
    return f"/customers/{customer.pk}/members"


def test_somebody_unknown_becomes_a_user_with_a_link_shown_once(owner_api, path, customer):
    response = owner_api.post(path, {"email": "New@Example.com", "role": "member", "name": "New"})
    body = response.json()
    assert response.status_code == 201
    assert (body["role"], body["user"]["email"], body["user"]["has_password"]) == ("member", "new@example.com", False)
    user = User.objects.get(email="new@example.com")
    assert Membership.objects.get(user=user).customer == customer

    link, browser = body["set_password_url"], Client()
    form = browser.get(link, follow=True)
    assert form.status_code == 200
    chosen = {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    done = browser.post(form.redirect_chain[-1][0], chosen)
    assert done.status_code == 302
    user.refresh_from_db()
    assert user.check_password(factories.PASSWORD)
    assert AuditEntry.objects.filter(action="user.password-changed", object_id=user.pk).count() == 1
    assert browser.get("/api/v1/me").json()["email"] == "new@example.com"  # and is signed in

    again = Client().get(link, follow=True)
    assert again.redirect_chain == []  # not led to the form a second time
    assert "set_password_url" not in owner_api.get(f"{path}/{user.pk}").json()


def test_a_link_is_not_kept_by_an_idempotency_key(owner_api, path):
    sent = {"email": "n@example.com", "role": "viewer"}
    first = owner_api.post(path, sent, headers={"Idempotency-Key": "k1"})
    again = owner_api.post(path, sent, headers={"Idempotency-Key": "k1"})
    assert first.json()["set_password_url"].startswith("http://")
    assert (again.status_code, again.json()["set_password_url"]) == (201, None)
    assert again.json()["set_password_url_shown"] is True
    assert again["Idempotent-Replayed"] == "true"
    assert User.objects.filter(email="n@example.com").count() == 1


def test_somebody_known_gets_no_link(owner_api, path):
    known = factories.user_make(email="known@example.com", password=factories.PASSWORD)
    body = owner_api.post(path, {"email": "KNOWN@example.com", "role": "viewer"}).json()
    assert (body["user"]["id"], body["set_password_url"]) == (str(known.pk), None)
    problem(owner_api.post(path, {"email": "known@example.com", "role": "owner"}), 409, "conflict")
    assert Membership.objects.get(user=known).role == "viewer"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "owner"}, "email"),
        ({"email": "x", "role": "owner"}, "email"),
        ({"email": "a@b.example", "role": "king"}, "role"),
        ({"email": "a@b.example"}, "role"),
        ({"email": "a@b.example", "role": "owner", "staff_role": "admin"}, "staff_role"),
    ],
)
def test_bad_input_adds_nobody(owner_api, path, body, field):
    before = User.objects.count()
    problem(owner_api.post(path, body), 400, "invalid_input", field)
    assert User.objects.count() == before


def test_members_and_viewers_see_but_do_not_manage(member_api, viewer_api, path):
    for api in (member_api, viewer_api):
        assert len(api.get(path).json()["results"]) == 2
        problem(api.post(path, {"email": "a@b.example", "role": "viewer"}), 403, "permission_denied")
    assert not User.objects.filter(email="a@b.example").exists()


def test_strangers_and_billing_systems_do_not_see_members(stranger_api, billing_api, path):
    problem(stranger_api.get(path), 404, "not_found")
    problem(stranger_api.post(path, {"email": "a@b.example", "role": "owner"}), 404, "not_found")
    problem(billing_api.get(path), 403, "permission_denied")


def test_the_last_owner_stays(admin_api, customer, path):
    owner = factories.member_make(customer, "owner")
    url = f"{path}/{owner.pk}"
    problem(admin_api.patch(url, {"role": "member"}), 409, "invalid_state")
    problem(admin_api.delete(url), 409, "invalid_state")
    assert Membership.objects.get(user=owner).role == "owner"
    second = factories.member_make(customer, "owner")
    assert admin_api.patch(url, {"role": "member"}).json()["role"] == "member"
    problem(admin_api.delete(f"{path}/{second.pk}"), 409, "invalid_state")
    assert admin_api.delete(url).status_code == 204
    actions = AuditEntry.objects.filter(object_id=owner.pk, customer_id=customer.pk).values_list("action", flat=True)
    assert sorted(actions) == ["member.removed", "member.role-changed"]


def test_a_removed_member_is_out_at_once(owner_api, api_of, customer, path):
    member = factories.member_make(customer, "member")
    theirs = api_of(member)
    assert theirs.get(f"/customers/{customer.pk}").status_code == 200
    assert owner_api.delete(f"{path}/{member.pk}").status_code == 204
    assert theirs.get(f"/customers/{customer.pk}").status_code in (403, 404)
    problem(owner_api.delete(f"{path}/{member.pk}"), 404, "not_found")


def test_owners_make_new_links_only_for_people_of_theirs_alone(owner_api, customer, path):
    new = factories.member_make(customer, "viewer")
    url = owner_api.post(f"{path}/{new.pk}/actions/set-password-link").json()["set_password_url"]
    assert "/accounts/password/reset/key/" in url
    with_password = factories.member_make(customer, "viewer", password=factories.PASSWORD)
    elsewhere = factories.member_make(customer, "viewer")
    Membership.objects.create(user=elsewhere, customer=factories.customer_make(), role="viewer")
    staff = factories.member_make(customer, "viewer", staff_role="operator")
    for user in (with_password, elsewhere, staff):
        problem(owner_api.post(f"{path}/{user.pk}/actions/set-password-link"), 409, "invalid_state")
