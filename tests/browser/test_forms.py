"""Forms on what others may change meanwhile: they send what was changed, and keep what was typed."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.visitor import SLOW_MS, Visitor, api


def patches(page: Page) -> list[dict[str, Any]]:
    """Collect the bodies of PATCHes."""
    sent: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.method == "PATCH":
            sent.append(json.loads(request.post_data or "null"))

    page.on("request", note)
    return sent


def open_edit(page: Page, row: str, button: str) -> None:
    """Open the form that a row's menu leads to."""
    page.locator("tr", has_text=row).get_by_role("button", name="Change").click()
    page.get_by_role("menuitem", name=button).click()
    expect(page.get_by_role("dialog")).to_be_visible()


def save(page: Page, button: str) -> None:
    """Press the form's button."""
    page.get_by_role("dialog").get_by_role("button", name=button).last.click()


def user(page: Page, email: str) -> dict[str, Any]:
    """Return a user as the API shows them."""
    found: dict[str, Any] = api(page, "GET", f"/users?search={email}")["results"][0]
    return found


def plan(page: Page, slug: str) -> dict[str, Any]:
    """Return a plan as the API shows it."""
    found: dict[str, Any] = api(page, "GET", f"/plans/{slug}")
    return found


def test_two_who_edit_other_fields_of_a_user_both_win(admin: Visitor) -> None:
    page, email = admin.page, "linus@hoster.example"
    admin.open("/users")
    before = user(page, email)
    open_edit(page, email, "Edit user")
    page.get_by_label("Name").fill("Linus Oh the second")
    api(page, "PATCH", f"/users/{before['id']}", {"staff_role": "admin"})
    sent = patches(page)
    save(page, "Save user")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert sent == [{"name": "Linus Oh the second"}]
    after = user(page, email)
    assert (after["name"], after["staff_role"]) == ("Linus Oh the second", "admin")
    api(page, "PATCH", f"/users/{before['id']}", {"name": before["name"], "staff_role": before["staff_role"]})


def test_two_who_edit_other_fields_of_a_plan_both_win(admin: Visitor) -> None:
    page = admin.page
    admin.open("/plans")
    before = plan(page, "c-1")
    open_edit(page, "Container C1", "Edit plan")
    page.get_by_label("vCPUs").fill("2")
    api(page, "PATCH", f"/plans/{before['id']}", {"name": "Container C1 new"})
    sent = patches(page)
    save(page, "Save plan")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert sent == [{"vcpus": 2}]
    after = plan(page, "c-1")
    assert (after["name"], after["vcpus"]) == ("Container C1 new", 2)
    api(page, "PATCH", f"/plans/{before['id']}", {"name": before["name"], "vcpus": before["vcpus"]})


@pytest.mark.parametrize(
    ("path", "row", "edit", "button"),
    [
        ("/users", "linus@hoster.example", "Edit user", "Save user"),
        ("/plans", "Container C1", "Edit plan", "Save plan"),
    ],
    ids=["user", "plan"],
)
def test_nothing_changed_sends_nothing(admin: Visitor, path: str, row: str, edit: str, button: str) -> None:
    page = admin.page
    admin.open(path)
    open_edit(page, row, edit)
    sent = patches(page)
    save(page, button)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert sent == []


def test_the_same_field_changed_by_another_keeps_what_was_typed_and_says_so(admin: Visitor) -> None:
    page, email = admin.page, "linus@hoster.example"
    admin.open("/users")
    before = user(page, email)
    open_edit(page, email, "Edit user")
    page.get_by_label("Name").fill("Typed here")
    api(page, "PATCH", f"/users/{before['id']}", {"name": "Set elsewhere"})
    save(page, "Save user")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Somebody else changed the same")
    expect(page.get_by_label("Name")).to_have_value("Typed here")
    assert user(page, email)["name"] == "Set elsewhere"
    page.keyboard.press("Escape")
    expect(page.get_by_text("Discard what you typed?")).to_be_visible()
    page.get_by_role("button", name="Discard", exact=True).click()
    api(page, "PATCH", f"/users/{before['id']}", {"name": before["name"]})
    admin.take_wrongs()


def test_a_stale_customer_form_keeps_what_was_typed_though_the_page_behind_is_new(admin: Visitor) -> None:
    page = admin.page
    customer = f"/customers/{admin.site.ids['customer']}"
    admin.open("/customers/{customer}?tab=overview")
    expect(page.locator(".live-pill")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("E-mail").fill("typed@northwind.example")
    api(page, "PATCH", customer, {"email": "elsewhere@northwind.example"})
    expect(page.locator(".page-sub")).to_have_text("elsewhere@northwind.example", timeout=SLOW_MS)
    save(page, "Save customer")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Somebody else changed the same")
    expect(page.get_by_label("E-mail")).to_have_value("typed@northwind.example")
    assert api(page, "GET", customer)["email"] == "elsewhere@northwind.example"
    api(page, "PATCH", customer, {"email": "it@northwind.example"})
    admin.take_wrongs()


def test_after_a_rebuild_the_page_shows_its_steps_on_the_overview(visit: Callable[..., Visitor]) -> None:
    owner = visit(who="owner")
    page = owner.page
    owner.open("/servers")
    guest = api(page, "GET", "/guests?search=staging")["results"][0]
    owner.open(f"/servers/{guest['id']}?tab=settings")
    page.get_by_role("button", name="Rebuild server").click()
    page.get_by_label("Type staging to confirm").fill("staging")
    page.get_by_role("dialog").get_by_role("button", name="Rebuild server").click()
    expect(page.get_by_role("tab", name="Overview")).to_have_attribute("aria-selected", "true", timeout=SLOW_MS)
    expect(page).not_to_have_url(re.compile("tab="))
    expect(page.get_by_role("region", name="Rebuild server")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator(".server-sub")).to_contain_text("Being rebuilt")
    page.go_back()
    expect(page.get_by_role("tab", name="Settings")).to_have_attribute("aria-selected", "true")
