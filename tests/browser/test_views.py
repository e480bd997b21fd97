"""Page views without a browser: who may open what, and that no page costs more when there is more to show."""

import json
import re

import pytest
from django.test import Client

from panel.core.models import Membership
from panel.pages.icons import ICONS, sprite
from panel.pages.modules import modules_of
from panel.pages.urls import PAGES
from tests import factories, stock
from tests.browser.site import ROOT

MOST_QUERIES = 7
PLAIN = [page for page in PAGES if "<" not in page.path]


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.name)
def test_nobody_is_sent_to_sign_in_and_back(page) -> None:
    answer = Client().get(f"/{page.path}?tab=x")
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next=/{page.path}%3Ftab%3Dx"


@pytest.mark.django_db
@pytest.mark.parametrize("page", [page for page in PLAIN if page.staff], ids=lambda page: page.name)
def test_customers_do_not_open_staff_pages(page, customer) -> None:
    client = signed_in(factories.member_make(customer, "owner"))
    assert client.get(f"/{page.path}").status_code == 403


@pytest.mark.django_db
def test_everybody_begins_where_they_belong(customer) -> None:
    assert signed_in(factories.staff_make()).get("/")["Location"] == "/overview"
    assert signed_in(factories.member_make(customer, "viewer")).get("/")["Location"] == "/servers"


@pytest.mark.django_db
def test_a_viewer_is_not_offered_what_only_owners_may(customer) -> None:
    client = signed_in(factories.member_make(customer, "viewer"))
    assert 'href="/tokens"' not in client.get("/servers").content.decode()
    assert client.get("/servers/new").status_code == 403


@pytest.mark.django_db
def test_a_page_knows_what_may_be_done_for_which_customer(customer) -> None:
    user = factories.member_make(customer, "owner")
    other = factories.customer_make()
    Membership.objects.create(user=user, customer=other, role="viewer")
    boot = json.loads(re.search(r'id="boot"[^>]*>(.*?)</script>', signed_in(user).get("/servers").content.decode())[1])  # type: ignore[index]
    rights = {row["id"]: set(row["rights"]) for row in boot["customers"]}
    assert "guest.create" in rights[str(customer.pk)]
    assert rights[str(other.pk)] >= {"guest.view", "key.view"}
    assert not rights[str(other.pk)] & {"guest.create", "key.manage", "guest.operate", "job.cancel"}


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["staff", "owner"])
def test_a_page_costs_the_same_queries_with_many_guests(who, customer, django_assert_max_num_queries) -> None:
    user = factories.staff_make() if who == "staff" else factories.member_make(customer, "owner")
    client = signed_in(user)
    path = "/guests" if who == "staff" else "/servers"
    client.get(path)
    with django_assert_max_num_queries(MOST_QUERIES) as few:
        client.get(path)
    for _ in range(5):
        stock.guest_make(customer)
    with django_assert_max_num_queries(len(few)):
        client.get(path)


def test_every_page_has_its_module() -> None:
    assert [page.script for page in PAGES if not (ROOT / "static" / page.script).is_file()] == []


def test_what_a_module_imports_is_found_in_any_depth() -> None:
    found = modules_of("js/pages/jobs.js")
    assert {"js/ui/list.js", "js/ui/rows.js", "js/lib/api.js"} <= set(found)
    assert [name for name in found if not (ROOT / "static" / name).is_file()] == []


@pytest.mark.skipif(not (ROOT / "node_modules").is_dir(), reason="node_modules is not installed: run npm ci")
def test_every_icon_exists() -> None:
    assert [name for name in ICONS if f'id="{name}"' not in sprite()] == []
