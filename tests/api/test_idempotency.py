"""``Idempotency-Key``: the first answer again, never a second effect."""

from datetime import timedelta

import pytest
from django.utils import timezone

from panel.core.maintenance import daily_maintenance
from panel.core.models import Customer, IdempotencyRecord
from panel.core.people.acting import ACT_FOR_KEY
from tests import factories
from tests.client import problem
from tests.stock import host_make, image_make, network_make, plan_make

pytestmark = pytest.mark.django_db
KEY = {"Idempotency-Key": "order-1"}


def test_a_repeat_gets_the_first_answer_word_for_word(admin_api):
    first = admin_api.post("/customers", {"name": "A"}, headers=KEY)
    again = admin_api.post("/customers", {"name": "A"}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert (again["Location"], again["ETag"]) == (first["Location"], first["ETag"])
    assert again["Idempotent-Replayed"] == "true"
    assert Customer.objects.count() == 1


def test_an_answer_that_an_older_version_kept_is_given_again(admin_api):
    first = admin_api.post("/customers", {"name": "A"}, headers=KEY)
    IdempotencyRecord.objects.update(body=first.json())
    assert admin_api.post("/customers", {"name": "A"}, headers=KEY).json() == first.json()


def test_another_request_with_the_same_key_is_refused(admin_api):
    admin_api.post("/customers", {"name": "A"}, headers=KEY)
    problem(admin_api.post("/customers", {"name": "B"}, headers=KEY), 422, "idempotency_key_reused")
    problem(admin_api.post("/users", {"name": "A"}, headers=KEY), 422, "idempotency_key_reused")
    assert Customer.objects.count() == 1


def test_keys_belong_to_a_client_not_to_a_token(api_of):
    client, other = factories.client_make(), factories.client_make()
    first = api_of(client).post("/customers", {"name": "A"}, headers=KEY).json()
    new_token = api_of(client).post("/customers", {"name": "A"}, headers=KEY).json()
    another = api_of(other).post("/customers", {"name": "A"}, headers=KEY).json()
    assert first["id"] == new_token["id"] != another["id"]


def test_for_another_customer_it_is_another_request(browser_of):
    house, one, other = factories.house_make(), factories.customer_make(), factories.customer_make()
    api = browser_of(factories.staff_make())
    body = {"name": "laptop", "public_key": factories.ED25519}

    def keep_as(customer):
        session = api.browser.session
        session[ACT_FOR_KEY] = str(customer.pk)
        session.save()
        return api.post("/ssh-keys", body, headers=KEY)

    assert (keep_as(one).status_code, keep_as(one)["Idempotent-Replayed"]) == (201, "true")
    problem(keep_as(other), 422, "idempotency_key_reused")
    assert [house.ssh_keys.count(), one.ssh_keys.count(), other.ssh_keys.count()] == [0, 1, 0]


def test_a_refused_request_leaves_the_key_free(admin_api):
    problem(admin_api.post("/customers", {}, headers=KEY), 400, "invalid_input")
    assert IdempotencyRecord.objects.count() == 0
    assert admin_api.post("/customers", {"name": "A"}, headers=KEY).status_code == 201


def test_secrets_are_not_kept_with_the_answer(admin_api):
    first = admin_api.post("/tokens", {"name": "t"}, headers=KEY).json()
    again = admin_api.post("/tokens", {"name": "t"}, headers=KEY).json()
    assert len(first["token"]) == 64
    assert (again["token"], again["token_shown"], again["id"]) == (None, True, first["id"])
    assert first["token"][16:] not in str(IdempotencyRecord.objects.values_list("body", flat=True))


def test_a_key_is_forgotten_after_seven_days(admin_api):
    admin_api.post("/customers", {"name": "A"}, headers=KEY)
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(days=6, hours=23))
    daily_maintenance()
    assert admin_api.post("/customers", {"name": "A"}, headers=KEY)["Idempotent-Replayed"] == "true"
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(days=7, seconds=1))
    daily_maintenance()
    assert "Idempotent-Replayed" not in admin_api.post("/customers", {"name": "A"}, headers=KEY)
    assert Customer.objects.filter(name="A").count() == 2


def test_a_key_works_anew_after_seven_days_also_when_nobody_has_cleared_up(admin_api):
    first = admin_api.post("/customers", {"name": "A"}, headers=KEY).json()
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(days=6, hours=23))
    assert admin_api.post("/customers", {"name": "A"}, headers=KEY).json() == first
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(days=7, seconds=1))
    problem(admin_api.post("/customers", {}, headers=KEY), 400, "invalid_input")
    anew = admin_api.post("/customers", {"name": "B"}, headers=KEY)
    assert (anew.status_code, "Idempotent-Replayed" in anew) == (201, False)
    again = admin_api.post("/customers", {"name": "B"}, headers=KEY)
    assert (again.json(), again["Idempotent-Replayed"]) == (anew.json(), "true")
    assert (Customer.objects.count(), IdempotencyRecord.objects.count()) == (2, 1)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
def test_a_bad_key_is_named(admin_api, key):
    problem(admin_api.post("/customers", {"name": "A"}, headers={"Idempotency-Key": key}), 400, "invalid_input")
    assert Customer.objects.count() == 0


def test_a_dry_run_is_asked_anew_each_time_and_keeps_nothing(owner_api, customer):
    body = {"name": "web-1", "host_type": "kvm", "plan": "small", "image": "micro"}
    assert owner_api.post("/guests", body, headers=KEY, dry_run="true").json()["feasible"] is False
    network_make(host_make())
    plan_make(slug="small")
    image_make(slug="micro")
    assert owner_api.post("/guests", body, headers=KEY, dry_run="true").json()["feasible"] is True
    assert IdempotencyRecord.objects.count() == 0
