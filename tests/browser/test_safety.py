"""What pages must never do: act on the wrong thing, act twice, or lose what was typed."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.visitor import SLOW_MS, Visitor, api, wait_until

IDENTITY_MS = 5000


def posts(page: Page, path: str) -> list[tuple[str, str]]:
    """Collect (path, idempotency key) of POSTs whose path ends so."""
    sent: list[tuple[str, str]] = []

    def note(request) -> None:
        if request.method == "POST" and request.url.endswith(path):
            sent.append((request.url, request.headers["idempotency-key"]))

    page.on("request", note)
    return sent


def hold_posts(page: Page, path: str) -> list[Route]:
    """Hold every POST whose path ends so; they are collected here, to be let through."""
    held: list[Route] = []
    page.route(f"**{path}", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    return held


def test_enter_before_the_results_waits_and_opens_the_exact_name(owner: Visitor) -> None:
    page = owner.page
    owner.open("/servers")
    page.keyboard.press("Control+k")
    page.keyboard.type("mail")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/servers/[0-9a-f-]{36}$"))
    expect(page.locator("h1")).to_contain_text("mail")


def test_results_of_an_earlier_text_are_not_chosen(owner: Visitor) -> None:
    page = owner.page
    owner.open("/servers")
    page.keyboard.press("Control+k")
    page.keyboard.type("web-1")
    expect(page.get_by_role("option").first).to_contain_text("web-1")
    page.keyboard.type("x")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing found.")).to_be_visible(timeout=SLOW_MS)
    assert page.url.endswith("/servers")


def lose_answers(owner: Visitor) -> list[tuple[str, str]]:
    """Open the dialog of a new token, whose requests get no answer; they are collected here."""
    page = owner.page
    owner.open("/tokens")
    sent = posts(page, "/tokens")
    page.route("**/api/v1/tokens", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.get_by_role("button", name="Create token").first.click()
    return sent


def test_pressing_enter_twice_sends_once(owner: Visitor) -> None:
    page = owner.page
    owner.open("/tokens")
    sent = posts(page, "/tokens")
    held = hold_posts(page, "/api/v1/tokens")
    page.get_by_role("button", name="Create token").first.click()
    page.get_by_label("Name").fill("twice")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    wait_until(page, lambda: bool(held))
    held[0].continue_()
    expect(page.get_by_role("button", name="I have kept it")).to_be_visible(timeout=SLOW_MS)
    assert len(sent) == 1


def test_long_after_a_lost_answer_the_same_request_is_a_new_one(owner: Visitor) -> None:
    page, sent = owner.page, lose_answers(owner)
    page.get_by_label("Name").fill("lost answer")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.clock.set_fixed_time(datetime.now(UTC) + timedelta(minutes=3))
    with page.expect_event("requestfailed", lambda request: request.method == "POST"):
        page.keyboard.press("Enter")
    assert len({key for _, key in sent}) == 2
    owner.take_wrongs()


def test_a_request_whose_answer_was_lost_is_repeated_with_its_key(owner: Visitor) -> None:
    page, sent = owner.page, lose_answers(owner)
    for name in ("lost answer", "lost answer", "another one"):
        page.get_by_label("Name").fill(name)
        with page.expect_event("requestfailed"):
            page.keyboard.press("Enter")
        expect(page.get_by_role("dialog").locator("[aria-busy=true]")).to_have_count(0)
        expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    keys = [key for _, key in sent]
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2]
    owner.take_wrongs()


def test_a_dialog_with_input_is_not_closed_by_accident(owner: Visitor) -> None:
    page = owner.page
    owner.open("/keys")
    page.get_by_role("button", name="Add key").first.click()
    page.get_by_label("Public key").fill("ssh-ed25519 AAAA")
    page.mouse.click(5, 5)
    expect(page.get_by_text("Discard what you typed?")).to_be_visible()
    page.get_by_role("button", name="Keep editing").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keep editing").click()
    expect(page.get_by_label("Public key")).to_have_value("ssh-ed25519 AAAA")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Discard", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_secret_stays_until_it_is_said_to_be_kept(owner: Visitor) -> None:
    page = owner.page
    owner.open("/tokens")
    page.get_by_role("button", name="Create token").first.click()
    page.get_by_label("Name").fill("kept")
    page.keyboard.press("Enter")
    expect(page.locator(".command-line code")).to_be_visible(timeout=SLOW_MS)
    for _ in range(3):
        page.keyboard.press("Escape")
        page.mouse.click(5, 5)
    expect(page.locator(".command-line code")).to_be_visible()
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_when_the_session_ends_what_is_typed_stays_and_goes_on_after_signing_in(owner: Visitor) -> None:
    page = owner.page
    owner.open("/keys")
    page.get_by_role("button", name="Add key").first.click()
    page.get_by_label("Public key").fill("ssh-ed25519 AAAAtyped")
    name = next(cookie["name"] for cookie in owner.context.cookies() if "session" in cookie["name"])
    kept: list[Any] = [cookie for cookie in owner.context.cookies() if cookie["name"] == name]
    owner.context.clear_cookies(name=name)
    page.get_by_role("dialog").get_by_role("button", name="Add key").click()
    expect(page.locator(".is-session")).to_contain_text("You are signed out", timeout=SLOW_MS)
    expect(page.get_by_label("Public key")).to_have_value("ssh-ed25519 AAAAtyped")
    owner.context.add_cookies(kept)  # as signing in in another tab does
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.locator(".is-session")).to_have_count(0, timeout=SLOW_MS)
    expect(page.get_by_label("Public key")).to_have_value("ssh-ed25519 AAAAtyped")
    expect(page.locator("[aria-invalid=true]")).to_have_count(0)
    page.get_by_role("dialog").get_by_role("button", name="Add key").click()
    expect(page.get_by_label("Public key")).to_have_attribute("aria-invalid", "true")  # as only the server finds out
    owner.take_wrongs()


def test_a_tab_from_before_acting_as_a_customer_becomes_the_customers(admin: Visitor) -> None:
    page = admin.page
    admin.open("/profile")
    second = admin.context.new_page()
    second.goto(f"{admin.site.url}{admin.site.path('/customers/{customer}')}")
    second.get_by_role("button", name="Act as this customer").click()
    second.wait_for_url("**/servers")
    page.get_by_role("radio", name="Dark").check()  # anything that asks the server
    expect(page.locator(".acting-band")).to_be_visible(timeout=IDENTITY_MS)
    second.get_by_role("button", name="Stop acting").click()
    second.wait_for_url("**/customers/**")
    admin.take_wrongs()


def test_what_a_page_asks_while_it_becomes_a_customers_does_not_keep_it(admin: Visitor) -> None:
    page = admin.page
    admin.open("/customers/{customer}")

    def slow(route: Route) -> None:
        answer = route.fetch()  # the server knows now who this browser is; the page asks for more before it hears that
        with page.expect_response("**/api/v1/audit**"):
            page.get_by_role("tab", name="Audit").click()
        page.wait_for_timeout(300)
        route.fulfill(response=answer)

    page.route("**/actions/act-for", slow)
    page.get_by_role("button", name="Act as this customer").click()
    page.wait_for_url("**/servers")
    admin.take_wrongs()


def test_the_address_not_a_draft_says_for_whom_a_guest_is(admin: Visitor) -> None:
    page = admin.page
    admin.open("/guests/new?customer={customer}")
    field = page.get_by_label("Customer")
    expect(field).to_have_value("Northwind Traders")
    field.fill("Contoso Pha")
    expect(page.get_by_text("Choose a customer from the list")).to_be_visible()
    expect(page.locator(".summary button[type=submit]")).to_have_attribute("aria-disabled", "true")
    field.fill("Contoso Pharma")
    expect(page).to_have_url(re.compile(r"customer=[0-9a-f-]{36}"))
    admin.open("/guests/new?customer={customer}")  # a draft of the other one is there
    expect(page.get_by_label("Customer")).to_have_value("Northwind Traders")
    admin.open("/guests/new")
    page.get_by_label("Customer").fill("")
    expect(page.locator(".summary button[type=submit]")).not_to_have_attribute("aria-disabled", "true", timeout=SLOW_MS)


def test_a_change_by_somebody_else_is_not_overwritten_by_a_form(admin: Visitor) -> None:
    page, customer = admin.page, admin.site.path("/customers/{customer}")
    admin.open("/customers/{customer}?tab=overview")
    expect(page.locator(".live-pill")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("E-mail").fill("new@northwind.example")
    api(page, "PATCH", customer, {"name": "Northwind and Sons"})  # whether or not the page has heard of it
    bodies: list[str] = []
    page.on("request", lambda request: bodies.append(request.post_data or "") if request.method == "PATCH" else None)
    page.get_by_role("dialog").get_by_role("button", name="Save customer").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert bodies == ['{"email":"new@northwind.example"}']
    saved = api(page, "GET", customer)
    assert (saved["name"], saved["email"]) == ("Northwind and Sons", "new@northwind.example")
    api(page, "PATCH", customer, {"name": "Northwind Traders"})
    expect(page.locator("h1")).to_have_text("Northwind Traders", timeout=SLOW_MS)
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("E-mail").fill("it@northwind.example")
    page.get_by_role("dialog").get_by_role("button", name="Save customer").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_overview_does_not_say_all_is_well_when_it_could_not_ask(admin: Visitor) -> None:
    def fail(route: Route) -> None:
        route.fulfill(status=500, content_type="application/problem+json", body='{"code": "x", "detail": "It broke."}')

    admin.page.route("**/api/v1/pools*", fail)
    admin.open("/overview")
    expect(admin.page.get_by_text("Not known at the moment: storage pools.")).to_be_visible()
    expect(admin.page.get_by_text("Nothing needs you.")).to_have_count(0)
    admin.take_wrongs()


def test_a_sort_of_another_list_in_the_address_is_no_error(admin: Visitor) -> None:
    admin.open("/guests/{guest}?tab=activity&sort=name&outcome=nonsense")
    expect(admin.page.locator(".notice-danger")).to_have_count(0)
    admin.page.get_by_role("tab", name="Overview").click()
    expect(admin.page).not_to_have_url(re.compile("sort="))
    assert admin.take_wrongs() == []


def test_a_host_says_which_of_its_hypervisors_is_silent(admin: Visitor) -> None:
    """Of the host's own answer only the moment at which LXC was seen is another."""

    def older(route: Route) -> None:
        answer = route.fetch()
        host = answer.json() | {"answers": False, "last_error": "LXC: It hangs."}
        for connection in host["connections"]:
            connection["answers"] = connection["host_type"] != "lxc"
        route.fulfill(response=answer, json=host)

    admin.page.route("**/api/v1/hosts/*", older)
    admin.open("/hosts/{host}")
    expect(admin.page.get_by_text(re.compile("^LXC last seen"))).to_be_visible()
    expect(admin.page.get_by_text("LXC does not answer here.")).to_be_visible()
    expect(admin.page.get_by_text("The host does not answer")).to_have_count(0)


def test_why_a_server_failed_is_said_once(admin: Visitor) -> None:
    admin.open("/guests/{broken}")
    why = admin.page.get_by_text("The host's storage is full.")
    expect(why).to_have_count(1)
    admin.page.get_by_role("tab", name="Settings").click()
    expect(why).to_have_count(1)
