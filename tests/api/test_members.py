"""``/customers/{id}/members``: adding, roles, removing; never the last owner."""

import pytest
from django.test import Client

from panel.core.actors import SYSTEM
from panel.core.errors import InvalidStateError, NotFoundError
from panel.core.models import ApiToken, AuditEntry, Membership, User
from panel.core.people.members import member_remove, member_set_role
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


def test_who_became_the_last_owner_meanwhile_stays(customer):
    seen_as_member = Membership.objects.get(user=factories.member_make(customer, "member"))
    Membership.objects.filter(pk=seen_as_member.pk).update(role="owner")
    with pytest.raises(InvalidStateError):
        member_remove(actor=SYSTEM, membership=seen_as_member)
    Membership.objects.filter(pk=seen_as_member.pk).delete()
    with pytest.raises(NotFoundError):
        member_set_role(actor=SYSTEM, membership=seen_as_member, role="viewer")


def test_who_may_have_no_tokens_any_more_loses_theirs(owner_api, api_of, customer, path):
    second = factories.member_make(customer, "owner")
    theirs = api_of(second)
    assert owner_api.patch(f"{path}/{second.pk}", {"role": "owner"}).status_code == 200
    assert theirs.get("/guests").status_code == 200
    assert owner_api.patch(f"{path}/{second.pk}", {"role": "member"}).status_code == 200
    problem(theirs.get("/guests"), 401, "not_authenticated")
    token = ApiToken.objects.get(client__user=second)
    assert AuditEntry.objects.filter(action="token.revoked", object_id=token.pk).exists()
    elsewhere = factories.member_make(customer, "owner")
    Membership.objects.create(user=elsewhere, customer=factories.customer_make(), role="owner")
    theirs = api_of(elsewhere)
    assert owner_api.delete(f"{path}/{elsewhere.pk}").status_code == 204
    assert theirs.get("/guests").status_code == 200


def test_a_removed_member_is_out_at_once(owner_api, browser_of, customer, path):
    member = factories.member_make(customer, "member")
    theirs = browser_of(member)
    assert theirs.get(f"/customers/{customer.pk}").status_code == 200
    assert owner_api.delete(f"{path}/{member.pk}").status_code == 204
    assert theirs.get(f"/customers/{customer.pk}").status_code in (403, 404)
    problem(owner_api.delete(f"{path}/{member.pk}"), 404, "not_found")


def test_owners_make_new_links_only_for_people_of_theirs_alone(owner_api, customer, path):
    new = factories.member_make(customer, "viewer", made_for=customer)
    url = owner_api.post(f"{path}/{new.pk}/actions/set-password-link").json()["set_password_url"]
    assert "/accounts/password/reset/key/" in url
    with_password = factories.member_make(customer, "viewer", password=factories.PASSWORD, made_for=customer)
    of_staff = factories.member_make(customer, "viewer")
    anothers = factories.member_make(customer, "viewer", made_for=factories.customer_make())
    staff = factories.member_make(customer, "viewer", staff_role="operator", made_for=customer)
    for user in (with_password, of_staff, anothers, staff):
        problem(owner_api.post(f"{path}/{user.pk}/actions/set-password-link"), 409, "invalid_state")


# ── who holds an account ────────────────────────────────────────────────────────────────────────────
def use(link: str) -> Client:
    """Set a password by a link; the browser is then signed in."""
    browser = Client()
    form = browser.get(link, follow=True)
    assert form.redirect_chain, "the link has ended"
    browser.post(form.redirect_chain[-1][0], {"password1": factories.PASSWORD, "password2": factories.PASSWORD})
    return browser


def test_an_account_that_an_owner_holds_is_trusted_by_nobody_else(owner_api, stranger_api, admin_api, path, customer):
    """The owner takes the link for an address of somebody else and waits for another customer to add it."""
    added = owner_api.post(path, {"email": "victim@example.com", "role": "viewer"}).json()
    held = use(added["set_password_url"])
    theirs = stranger_api.get("/me").json()["customers"][0]["id"]
    invited = {"email": "Victim@example.com", "role": "owner"}
    for api in (stranger_api, admin_api):
        problem(api.post(f"/customers/{theirs}/members", invited), 409, "conflict")
    user = admin_api.get(f"/users/{added['user']['id']}").json()
    assert user["made_for"] == str(customer.pk)
    problem(admin_api.patch(f"/users/{user['id']}", {"staff_role": "admin"}), 409, "invalid_state")
    assert [c["id"] for c in held.get("/api/v1/me").json()["customers"]] == [str(customer.pk)]
    assert held.get("/api/v1/me").json()["staff_role"] == ""


def test_staff_take_the_account_from_whoever_holds_it(owner_api, admin_api, anonymous, path, api_of):
    added = owner_api.post(path, {"email": "victim@example.com", "role": "viewer"}).json()
    old_link = owner_api.post(f"{path}/{added['user']['id']}/actions/set-password-link").json()["set_password_url"]
    held = use(added["set_password_url"])
    user = User.objects.get(pk=added["user"]["id"])
    token = api_of(user)
    assert (held.get("/api/v1/me").status_code, token.get("/me").status_code) == (200, 200)
    link = admin_api.post(f"/users/{user.pk}/actions/set-password-link").json()["set_password_url"]
    assert (held.get("/api/v1/me").status_code, token.get("/me").status_code) == (401, 401)
    assert Client().get(old_link, follow=True).redirect_chain == []
    problem(owner_api.post(f"{path}/{user.pk}/actions/set-password-link"), 409, "invalid_state")
    assert use(link).get("/api/v1/me").json()["email"] == "victim@example.com"
    assert admin_api.patch(f"/users/{user.pk}", {"staff_role": "operator"}).json()["staff_role"] == "operator"
    entries = AuditEntry.objects.filter(action="user.set-password-link-made", object_id=user.pk).order_by("at")
    assert [list(entry.changes) for entry in entries] == [[], ["made_for"]]


def test_a_link_of_staff_leaves_an_account_alone_that_no_customer_made(admin_api, api_of, customer):
    user = factories.member_make(customer, "viewer", password=factories.PASSWORD)
    token = api_of(user)
    assert admin_api.post(f"/users/{user.pk}/actions/set-password-link").status_code == 200
    user.refresh_from_db()
    assert user.check_password(factories.PASSWORD)
    assert token.get("/me").status_code == 200


def test_whom_staff_add_is_nobodys(admin_api, stranger_api, path):
    admin_api.post(path, {"email": "new@example.com", "role": "owner"})
    theirs = stranger_api.get("/me").json()["customers"][0]["id"]
    said = stranger_api.post(f"/customers/{theirs}/members", {"email": "new@example.com", "role": "viewer"})
    assert (said.status_code, said.json()["set_password_url"]) == (201, None)


@pytest.mark.parametrize("fields", [{"password": factories.PASSWORD}, {"is_active": False}, {"staff_role": "admin"}])
def test_adding_an_address_tells_nothing_of_its_owner(owner_api, admin_api, path, fields):
    known = factories.user_make(email="known@example.com", name="Known Person", **fields)
    Membership.objects.create(user=known, customer=factories.customer_make(), role="viewer")
    added = owner_api.post(path, {"email": "known@example.com", "role": "viewer", "name": "Guess"}).json()
    hidden = {"name": "", "is_active": None, "has_password": None}
    assert {name: added["user"][name] for name in hidden} == hidden
    rows = [row["user"] for row in owner_api.get(path).json()["results"] if row["user"]["id"] == str(known.pk)]
    assert [{name: row[name] for name in hidden} for row in rows] == [hidden]
    assert owner_api.get(f"{path}/{known.pk}").json()["user"]["name"] == ""
    assert admin_api.get(f"{path}/{known.pk}").json()["user"]["name"] == "Known Person"
    known.refresh_from_db()
    assert known.name == "Known Person"
