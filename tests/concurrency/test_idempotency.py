"""Many identical POSTs at the same moment have one effect, and all get the one answer."""

import os
from collections import Counter

import pytest

from panel.core.models import AuditEntry, Customer, CustomerRole, Membership
from tests import factories
from tests.client import ApiUser
from tests.concurrency.http import at_once

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 10
BODY = {"name": "Only one"}
REPEATS = 200 if os.environ.get("INNKEEPER_TEST_FULL") else 30


def test_identical_posts_make_one_customer():
    token = factories.token_make(factories.staff_make()).value
    headers = {"Idempotency-Key": "the same"}
    answers = at_once(REPEATS, lambda _: ApiUser(token).post("/customers", BODY, headers=headers), threads=AT_ONCE)
    assert Counter(answer.status_code for answer in answers) == {201: REPEATS}
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert sum("Idempotent-Replayed" not in answer for answer in answers) == 1
    assert Customer.objects.filter(name="Only one").count() == 1
    assert AuditEntry.objects.filter(action="customer.created").count() == 1


def test_the_same_external_id_makes_one_customer_also_without_a_key():
    token = factories.token_make(factories.client_make()).value
    order = {"name": "Only one", "external_id": "4711"}
    answers = at_once(REPEATS, lambda _: ApiUser(token).post("/customers", order), threads=AT_ONCE)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: REPEATS - 1}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Customer.objects.count() == 1


def test_two_owners_who_remove_each_other_leave_one():
    customer = factories.customer_make()
    owners = [factories.member_make(customer, "owner") for _ in range(AT_ONCE)]
    tokens = [factories.token_make(owner).value for owner in owners]

    def leave(number: int) -> int:
        return ApiUser(tokens[number]).delete(f"/customers/{customer.pk}/members/{owners[number].pk}").status_code

    answers = at_once(AT_ONCE, leave)
    assert Counter(answers) == {204: AT_ONCE - 1, 409: 1}
    assert Membership.objects.filter(customer=customer, role=CustomerRole.OWNER).count() == 1


def test_administrators_who_step_down_together_leave_one():
    admins = [factories.staff_make() for _ in range(AT_ONCE)]
    tokens = [factories.token_make(admin).value for admin in admins]

    def step_down(number: int) -> int:
        return ApiUser(tokens[number]).patch(f"/users/{admins[number].pk}", {"staff_role": ""}).status_code

    assert Counter(at_once(AT_ONCE, step_down)) == {200: AT_ONCE - 1, 409: 1}


def test_if_match_lets_one_of_many_changes_through():
    customer = factories.customer_make()
    token = factories.token_make(factories.staff_make()).value

    def change(number: int) -> int:
        headers = {"If-Match": '"1"'}
        return ApiUser(token).patch(f"/customers/{customer.pk}", {"name": f"n{number}"}, headers=headers).status_code

    assert Counter(at_once(AT_ONCE, change)) == {200: 1, 412: AT_ONCE - 1}
