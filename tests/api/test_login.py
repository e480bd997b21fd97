"""Signing in: throttled, never locked for ever, every try in the trail."""

import time

import pytest
from django.core.cache import cache
from django.test import Client

from panel.core.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db
TRIES = 5
WINDOW_S = 300


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


def sign_in(email: str, password: str, address: str = "192.0.2.1", **headers):
    return Client(REMOTE_ADDR=address, **headers).post("/accounts/login/", {"login": email, "password": password})


def test_the_right_password_signs_in_whatever_the_case_of_the_address():
    user = factories.user_make(email="ada@example.com", password=factories.PASSWORD)
    assert sign_in("ADA@example.com", factories.PASSWORD).status_code == 302
    entry = AuditEntry.objects.get(action="user.logged-in")
    assert (entry.object_id, entry.object_label, entry.address) == (user.pk, user.email, "192.0.2.1")


def test_five_failures_then_a_clear_sentence_then_minutes_later_in_again(monkeypatch):
    user = factories.user_make(password=factories.PASSWORD)
    for _ in range(TRIES):
        response = sign_in(user.email, "wrong")
        assert "Too many" not in response.content.decode()
    for _ in range(2):
        refused = sign_in(user.email, factories.PASSWORD)  # also the right one
        assert refused.status_code == 200
        assert "Too many failed login attempts. Try again later." in refused.content.decode()
    seen = AuditEntry.objects.filter(outcome="refused", object_label=user.email, address="192.0.2.1")
    assert sorted(seen.values_list("action", flat=True)) == ["user.login"] * TRIES + ["user.login-throttled"]
    assert not AuditEntry.objects.filter(action="user.logged-in").exists()

    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + WINDOW_S + 1)
    assert sign_in(user.email, factories.PASSWORD).status_code == 302


def test_others_sign_in_while_one_is_throttled():
    throttled, other = (factories.user_make(password=factories.PASSWORD) for _ in range(2))
    for _ in range(TRIES):
        sign_in(throttled.email, "wrong")
    assert sign_in(other.email, factories.PASSWORD).status_code == 302


def test_tries_from_elsewhere_lock_nobody_out():
    user = factories.user_make(password=factories.PASSWORD)
    for _ in range(TRIES + 1):
        sign_in(user.email, "wrong", address="198.51.100.7")
    assert "Too many" in sign_in(user.email, "wrong", address="198.51.100.7").content.decode()
    assert sign_in(user.email, factories.PASSWORD).status_code == 302


def test_another_host_name_or_address_of_the_same_subscriber_gives_no_more_tries():
    user = factories.user_make(password=factories.PASSWORD)
    for number in range(TRIES):
        sign_in(user.email, "wrong", address=f"2001:db8::{number + 1}", HTTP_HOST=f"host-{number}.example.com")
    refused = sign_in(user.email.upper(), factories.PASSWORD, address="2001:db8::99", HTTP_HOST="other.example.com")
    assert "Too many" in refused.content.decode()
    assert sign_in(user.email, factories.PASSWORD, address="2001:db8:0:1::1").status_code == 302


def test_an_address_that_tries_many_users_is_throttled():
    users = [factories.user_make(password=factories.PASSWORD) for _ in range(11)]
    for user in users[:10]:
        sign_in(user.email, "wrong")
    assert "Too many" in sign_in(users[10].email, factories.PASSWORD).content.decode()
    assert sign_in(users[10].email, factories.PASSWORD, address="192.0.2.77").status_code == 302


def test_people_do_not_change_the_address_they_are_known_by():
    browser = Client()
    browser.force_login(factories.user_make(), backend="allauth.account.auth_backends.AuthenticationBackend")
    for path in ("/accounts/email/", "/accounts/confirm-email/"):
        assert browser.get(path).status_code == 404
        assert browser.post(path, {"email": "other@example.com", "action_add": ""}).status_code == 404


def test_nobody_signs_up_and_who_is_switched_off_stays_out():
    response = Client().post("/accounts/signup/", {"email": "new@example.com", "password1": factories.PASSWORD})
    assert "sessionid" not in response.cookies
    user = factories.user_make(password=factories.PASSWORD, is_active=False)
    sign_in(user.email, factories.PASSWORD)
    assert not AuditEntry.objects.filter(action="user.logged-in").exists()
