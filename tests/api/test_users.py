"""``/users``, ``/clients`` and ``/me``: people of the hosting company and programs."""

from datetime import timedelta

import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.test import Client
from django.utils import timezone

from panel.core.models import AuditEntry, User
from tests import factories
from tests.client import ApiUser, problem

pytestmark = pytest.mark.django_db


def test_an_admin_makes_staff_and_hands_over_a_link(admin_api):
    response = admin_api.post("/users", {"email": "op@example.com", "staff_role": "operator"})
    body = response.json()
    assert response.status_code == 201
    assert (body["staff_role"], body["has_password"], body["is_active"]) == ("operator", False, True)
    assert Client().get(body["set_password_url"]).status_code == 302
    problem(admin_api.post("/users", {"email": "OP@example.com"}), 409, "conflict")
    problem(
        admin_api.post("/users", {"email": "b@example.com", "staff_role": "king"}), 400, "invalid_input", "staff_role"
    )


def test_the_link_ends_after_24_hours_and_with_a_newer_password(admin_api, monkeypatch):
    user = factories.user_make(password="the old password")
    link = admin_api.post(f"/users/{user.pk}/actions/set-password-link").json()["set_password_url"]
    later = timezone.now().replace(tzinfo=None) + timedelta(hours=24, seconds=5)
    with monkeypatch.context() as patched:
        patched.setattr(PasswordResetTokenGenerator, "_now", lambda self: later)
        assert Client().get(link).status_code == 200  # the page that says so, not the form
    assert Client().get(link).status_code == 302
    user.set_password("a newer password")
    user.save()
    assert Client().get(link).status_code == 200
    assert AuditEntry.objects.filter(action="user.set-password-link-made", object_id=user.pk).count() == 1


def test_a_user_who_is_switched_off_is_out_everywhere(admin_api, browser_of, api_of, customer):
    user = factories.member_make(customer, password=factories.PASSWORD)
    page, token = browser_of(user), api_of(user)
    assert (page.get("/me").status_code, token.get("/me").status_code) == (200, 200)
    assert admin_api.patch(f"/users/{user.pk}", {"is_active": False}).json()["is_active"] is False
    assert (page.get("/me").status_code, token.get("/me").status_code) == (401, 401)
    problem(admin_api.post(f"/users/{user.pk}/actions/set-password-link"), 409, "invalid_state")
    assert admin_api.patch(f"/users/{user.pk}", {"is_active": True}).status_code == 200
    assert token.get("/me").status_code == 200


@pytest.mark.parametrize("change", [{"is_active": False}, {"staff_role": "operator"}, {"staff_role": ""}])
def test_the_last_administrator_stays(api_of, change):
    admin = factories.staff_make()
    api = api_of(admin)
    problem(api.patch(f"/users/{admin.pk}", change), 409, "invalid_state")
    factories.staff_make(is_active=False)
    problem(api.patch(f"/users/{admin.pk}", change), 409, "invalid_state")
    factories.staff_make()
    assert api.patch(f"/users/{admin.pk}", change).status_code == 200


def test_an_operator_sees_users_and_changes_none(operator_api):
    user = factories.user_make()
    assert operator_api.get(f"/users/{user.pk}").json()["email"] == user.email
    problem(operator_api.patch(f"/users/{user.pk}", {"name": "x"}), 403, "permission_denied")
    problem(operator_api.post(f"/users/{user.pk}/actions/set-password-link"), 403, "permission_denied")
    problem(operator_api.post("/users", {"email": "z@example.com"}), 403, "permission_denied")


def test_users_are_found_by_part_of_the_address(admin_api):
    factories.user_make(email="ada@one.example")
    factories.staff_make("operator", email="bob@one.example")
    assert [row["email"] for row in admin_api.get("/users", search="ADA").json()["results"]] == ["ada@one.example"]
    staff = admin_api.get("/users", staff="true", search="one.example").json()["results"]
    assert [row["email"] for row in staff] == ["bob@one.example"]


def test_me_of_a_person_with_two_customers(api_of):
    one, two = factories.customer_make(name="A"), factories.customer_make(name="B")
    user = factories.member_make(one, "viewer")
    user.memberships.create(customer=two, role="owner")
    me = api_of(user).get("/me").json()
    assert [(c["name"], c["role"]) for c in me["customers"]] == [("A", "viewer"), ("B", "owner")]
    assert "guest.create" in me["customers"][1]["permissions"]
    assert "guest.create" not in me["customers"][0]["permissions"]
    assert (me["kind"], me["permissions"], me["acting_for"]) == ("person", [], None)


def test_me_of_an_integration_has_no_profile_to_change(billing_api):
    me = billing_api.get("/me").json()
    assert (me["kind"], me["client_role"], me["email"]) == ("integration", "billing", None)
    problem(billing_api.patch("/me", {"theme": "dark"}), 403, "permission_denied")


def test_a_person_changes_name_and_theme_only(owner_api):
    assert owner_api.patch("/me", {"theme": "dark", "name": "Ada"}).json()["theme"] == "dark"
    problem(owner_api.patch("/me", {"theme": "pink"}), 400, "invalid_input", "theme")
    problem(owner_api.patch("/me", {"staff_role": "admin"}), 400, "invalid_input", "staff_role")


def test_a_read_only_token_reads(api_of, customer):
    api = api_of(factories.member_make(customer, "owner"), scope="read")
    me = api.get("/me").json()
    assert me["read_only"] is True
    assert all(name.endswith(".view") for name in me["customers"][0]["permissions"])
    assert problem(api.patch("/me", {"name": "x"}), 403, "permission_denied")["detail"] == "This token can only read."
    problem(api.patch(f"/customers/{customer.pk}", {"name": "x"}), 403, "permission_denied")


def test_staff_act_as_a_customer_in_a_browser_with_the_owners_rights_only(browser_of, customer):
    other = factories.customer_make()
    admin = factories.staff_make()
    api = browser_of(admin)
    assert api.post(f"/customers/{customer.pk}/actions/act-for").status_code == 204
    me = api.get("/me").json()
    assert me["acting_for"] == {"id": str(customer.pk), "name": customer.name}
    assert (me["permissions"], [c["role"] for c in me["customers"]]) == ([], ["owner"])
    problem(api.get(f"/customers/{other.pk}"), 404, "not_found")
    problem(api.get("/audit"), 403, "permission_denied")
    assert api.patch(f"/customers/{customer.pk}", {"name": "Renamed"}).status_code == 200
    problem(api.post("/tokens", {"name": "t"}), 403, "permission_denied")  # it would be the admin's own
    assert api.post("/me/actions/stop-acting").status_code == 204
    assert api.get("/audit").status_code == 200
    problem(api.post("/me/actions/stop-acting"), 409, "invalid_state")
    entries = AuditEntry.objects.filter(object_id=customer.pk, actor_user_id=admin.pk).order_by("at")
    assert list(entries.values_list("action", "acting_for_id")) == [
        ("customer.acting-started", None),
        ("customer.changed", customer.pk),
        ("customer.acting-stopped", customer.pk),
    ]


def test_nobody_else_acts_as_a_customer(browser_of, admin_api, operator_api, customer):
    problem(admin_api.post(f"/customers/{customer.pk}/actions/act-for"), 409, "invalid_state")  # a token has no session
    problem(operator_api.post(f"/customers/{customer.pk}/actions/act-for"), 403, "permission_denied")
    owner = browser_of(factories.member_make(customer))
    problem(owner.post(f"/customers/{customer.pk}/actions/act-for"), 403, "permission_denied")


def test_a_session_needs_the_csrf_token(customer):
    user = factories.member_make(customer, password=factories.PASSWORD)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    api = ApiUser(browser=browser)
    assert api.get("/me").status_code == 200
    assert problem(api.patch("/me", {"name": "x"}), 403, "permission_denied")["detail"].startswith("CSRF")
    assert User.objects.get(pk=user.pk).name == ""
