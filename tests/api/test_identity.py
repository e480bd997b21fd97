"""Tabs share one session: a page that was made for somebody else is refused, whatever it asks for."""

import pytest

from panel.core.models import Customer
from tests import factories
from tests.client import problem

pytestmark = pytest.mark.django_db


def as_seen(user, customer: Customer | None = None) -> dict[str, str]:
    return {"X-Innkeeper-Identity": f"{user.pk}/{customer.pk if customer else ''}"}


def test_a_page_of_the_same_person_is_answered(browser_of):
    user = factories.staff_make()
    browser = browser_of(user)
    assert browser.call("GET", "/me", headers=as_seen(user)).status_code == 200
    assert browser.get("/me").status_code == 200  # a program with a session says nothing of the kind


def test_a_page_from_before_acting_for_a_customer_does_nothing_more(browser_of, customer):
    user = factories.staff_make()
    browser = browser_of(user)
    assert browser.post(f"/customers/{customer.pk}/actions/act-for").status_code in (200, 204)
    problem(browser.call("GET", "/me", headers=as_seen(user)), 409, "identity_changed")
    name = customer.name
    patch = browser.call("PATCH", f"/customers/{customer.pk}", {"name": "Taken over"}, headers=as_seen(user))
    problem(patch, 409, "identity_changed")
    customer.refresh_from_db()
    assert customer.name == name
    assert browser.call("GET", "/me", headers=as_seen(user, customer)).status_code == 200


def test_a_page_of_somebody_who_signed_out_is_not_the_next_ones(browser_of):
    before, now = factories.staff_make(), factories.staff_make()
    problem(browser_of(now).call("GET", "/me", headers=as_seen(before)), 409, "identity_changed")


def test_a_token_needs_no_identity(owner_api):
    assert owner_api.call("GET", "/me", headers={"X-Innkeeper-Identity": "x/y"}).status_code == 200
