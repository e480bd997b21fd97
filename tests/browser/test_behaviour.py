"""What pages do: by keyboard alone, live, with the stream cut, and without losing what was typed."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.pages import PASSWORD, STAFF
from tests.browser.visitor import SLOW_MS, Visitor, api, rename

LIVE_MS = 2000


# ── keyboard ────────────────────────────────────────────────────────────────────────────────────────
def test_sign_in_by_keyboard(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    page.goto(f"{visitor.site.url}/accounts/login/")
    expect(page.locator("[name=login]")).to_be_focused()
    page.keyboard.type(STAFF)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/overview")


def test_a_wrong_password_is_refused_with_a_sentence(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    page.goto(f"{visitor.site.url}/accounts/login/")
    page.fill("[name=login]", "nobody@hoster.example")
    page.fill("[name=password]", "wrong wrong wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    assert "/accounts/login" in page.url


def test_the_first_tab_skips_to_the_content(admin: Visitor) -> None:
    admin.open("/hosts")
    admin.page.keyboard.press("Tab")
    expect(admin.page.locator(".skip-to")).to_be_focused()
    admin.page.keyboard.press("Enter")
    expect(admin.page.locator("#main")).to_be_focused()


def test_the_palette_jumps_to_a_guest_by_its_address(admin: Visitor) -> None:
    admin.open("/hosts")
    admin.page.keyboard.press("Control+k")
    admin.page.keyboard.type("203.0.113.2")
    expect(admin.page.get_by_role("option").first).to_contain_text("web-1")
    admin.page.keyboard.press("Enter")
    admin.page.wait_for_url(f"**/guests/{admin.site.ids['guest']}")


def test_the_palette_runs_an_action(owner: Visitor) -> None:
    owner.open("/servers")
    owner.page.keyboard.press("/")
    owner.page.keyboard.type("reboot cache")
    expect(owner.page.get_by_role("option").first).to_contain_text("Reboot: cache-1")
    owner.page.keyboard.press("Enter")  # found by a part of its name: the question names it
    expect(owner.page.get_by_role("heading", name="Reboot: cache-1")).to_be_visible()
    owner.page.get_by_role("dialog").get_by_role("button", name="Reboot").click()
    expect(owner.page.locator(".toast-card").first).to_contain_text("Reboot: cache-1")
    expect(owner.page.locator("tr", has_text="cache-1")).to_contain_text("Rebooting", timeout=SLOW_MS)


def test_rows_are_walked_by_j_and_k_and_opened_by_enter(owner: Visitor) -> None:
    owner.open("/servers?sort=name")
    owner.page.keyboard.press("j")
    owner.page.keyboard.press("j")
    owner.page.keyboard.press("k")
    name = owner.page.locator("tr.is-current a").first.inner_text()
    owner.page.keyboard.press("Enter")
    owner.page.wait_for_url(re.compile(r"/servers/[0-9a-f-]{36}$"))
    expect(owner.page.locator("h1")).to_contain_text(name)


def test_a_menu_is_walked_by_arrows_and_gives_the_focus_back(owner: Visitor) -> None:
    owner.open("/servers/{guest}")
    button = owner.page.get_by_role("button", name="Power", exact=True)
    button.focus()
    owner.page.keyboard.press("Enter")
    expect(owner.page.get_by_role("menuitem").first).to_be_focused()
    owner.page.keyboard.press("ArrowDown")
    expect(owner.page.get_by_role("menuitem").nth(1)).to_be_focused()
    owner.page.keyboard.press("Escape")
    expect(button).to_be_focused()


# ── the address ─────────────────────────────────────────────────────────────────────────────────────
def test_filters_and_sort_are_in_the_address_and_back_undoes_them(admin: Visitor) -> None:
    page = admin.page
    admin.open("/guests")
    page.get_by_role("button", name="Power: any").click()
    page.get_by_role("menuitemradio", name="Off").click()
    expect(page).to_have_url(re.compile("power_state=shutoff"))
    expect(page.locator("tbody tr").first).to_contain_text(re.compile("Off|Failed"))
    page.get_by_role("button", name="Name").first.click()
    expect(page).to_have_url(re.compile("sort=name"))
    page.go_back()
    expect(page).not_to_have_url(re.compile("sort=name"))
    page.reload()
    admin.settle()
    expect(page.get_by_role("button", name="Power: Off")).to_be_visible()


def test_searching_narrows_the_list(admin: Visitor) -> None:
    admin.open("/guests")
    admin.page.get_by_role("searchbox").fill("cache")
    expect(admin.page.locator("tbody tr")).to_have_count(1)
    expect(admin.page).to_have_url(re.compile("search=cache"))


# ── live ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_change_made_elsewhere_shows_within_two_seconds(owner: Visitor, admin: Visitor) -> None:
    owner.open("/servers")
    expect(owner.page.locator(".live-pill")).to_be_visible(timeout=SLOW_MS)
    admin.open("/hosts")
    rename(admin.page, owner.site.ids["guest"], "web-1-renamed")
    expect(owner.page.get_by_role("link", name="web-1-renamed")).to_be_visible(timeout=LIVE_MS)
    rename(admin.page, owner.site.ids["guest"], "web-1")
    expect(owner.page.get_by_role("link", name="web-1", exact=True)).to_be_visible(timeout=LIVE_MS)


def test_a_token_made_or_revoked_elsewhere_shows_within_two_seconds(owner: Visitor) -> None:
    page = owner.page
    owner.open("/tokens")
    expect(page.locator(".live-pill")).to_be_visible(timeout=SLOW_MS)
    row = page.locator("tr", has_text="made-elsewhere")
    made = api(page, "POST", "/tokens", {"name": "made-elsewhere"})
    expect(row.get_by_role("button", name="Revoke")).to_be_visible(timeout=LIVE_MS)
    api(page, "DELETE", f"/tokens/{made['id']}")
    expect(row.get_by_role("button", name="Revoke")).to_have_count(0, timeout=LIVE_MS)


def test_what_a_customer_uses_shows_within_two_seconds(owner: Visitor, admin: Visitor) -> None:
    customer = owner.site.ids["customer"]
    admin.open("/customers")
    expect(admin.page.locator(".live-pill")).to_be_visible(timeout=SLOW_MS)
    row = admin.page.locator("tr", has=admin.page.locator(f'a[href="/customers/{customer}"]'))
    cell = row.locator("[data-column=guests]")
    before = int(cell.inner_text().split()[0])
    order = {"name": "counted-1", "customer": customer, "plan": "s-1", "host_type": "lxc", "image": "micro"}
    assert "guest" in api(admin.page, "POST", "/guests", order)
    expect(cell).to_have_text(re.compile(rf"^{before + 1}\b"), timeout=LIVE_MS)


def test_with_the_stream_cut_the_page_says_so_and_recovers(owner: Visitor, admin: Visitor) -> None:
    owner.open("/servers")
    expect(owner.page.locator(".live-pill")).to_be_visible(timeout=SLOW_MS)
    admin.open("/hosts")
    owner.site.stop()
    expect(owner.page.locator(".stale")).to_contain_text("interrupted", timeout=SLOW_MS)
    owner.site.start()
    rename(admin.page, owner.site.ids["guest"], "web-1-later")
    expect(owner.page.locator(".stale")).to_have_count(0, timeout=2 * SLOW_MS)
    expect(owner.page.get_by_role("link", name="web-1-later")).to_be_visible(timeout=SLOW_MS)
    rename(admin.page, owner.site.ids["guest"], "web-1")
    for visitor in (owner, admin):
        visitor.take_wrongs()


def test_two_tabs_share_one_stream(owner: Visitor) -> None:
    owner.open("/servers")
    expect(owner.page.locator(".live-pill")).to_be_visible(timeout=SLOW_MS)
    second = owner.context.new_page()
    streams: list[str] = []
    second.on(
        "request", lambda request: streams.append(request.url) if request.url.endswith("/api/v1/events") else None
    )
    second.goto(f"{owner.site.url}/activity")
    expect(second.locator(".live-pill")).to_be_visible(timeout=SLOW_MS)
    assert streams == []


# ── acting and ordering ─────────────────────────────────────────────────────────────────────────────
def test_several_servers_are_shut_down_at_once(owner: Visitor) -> None:
    page = owner.page
    owner.open("/servers?power_state=running")
    for name in ("db-1", "ci-runner"):
        page.get_by_role("checkbox", name=f"Select {name}").click()
    expect(page.locator(".bulk-count")).to_have_text("2 selected")
    page.locator(".bulk-bar").get_by_role("button", name="Shut down").click()
    page.get_by_role("dialog").get_by_role("button", name="Shut down").click()
    expect(page.locator(".toast-card").first).to_contain_text("2 accepted")
    for name in ("db-1", "ci-runner"):
        expect(page.locator("tr", has_text=name)).to_contain_text("Shutting down", timeout=SLOW_MS)


def test_what_is_typed_into_an_order_survives_a_reload(owner: Visitor) -> None:
    page = owner.page
    owner.open("/servers/new")
    page.get_by_label("Name", exact=True).fill("kept-over-reload")
    page.get_by_role("radio", name=re.compile("M1")).check()
    page.reload()
    owner.settle()
    expect(page.get_by_label("Name", exact=True)).to_have_value("kept-over-reload")
    expect(page.get_by_role("radio", name=re.compile("M1"))).to_be_checked()


def test_a_mistake_is_shown_at_its_field_before_ordering(owner: Visitor) -> None:
    page = owner.page
    owner.open("/servers/new")
    page.get_by_label("Name", exact=True).fill("not a host name")
    expect(page.locator("input[name=name][aria-invalid=true]")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator(".summary button[type=submit]")).to_have_attribute("aria-disabled", "true")


def test_an_order_leads_to_the_servers_page_with_its_password_shown_once(owner: Visitor) -> None:
    page = owner.page
    owner.open("/servers/new")
    page.get_by_label("Name", exact=True).fill("ordered-1")
    page.get_by_role("radio", name=re.compile("Micro")).check()
    page.get_by_label("Make a root password, shown once").check()
    page.locator(".summary button[type=submit]").click()
    page.wait_for_url(re.compile(r"/servers/[0-9a-f-]{36}$"))
    owner.settle()
    expect(page.locator("h1")).to_contain_text("ordered-1")
    expect(page.locator(".once code")).to_have_text(re.compile(r"\S{12,}"))
    expect(page.locator(".command-line").first).to_contain_text("ssh root@203.0.113.")
    page.reload()
    owner.settle()
    expect(page.locator(".once code")).to_be_visible()
    page.get_by_role("button", name="I have kept it").click()
    page.reload()
    owner.settle()
    expect(page.locator(".once")).to_have_count(0)


def test_deleting_asks_for_the_name(owner: Visitor) -> None:
    page = owner.page
    owner.open("/servers/{broken}?tab=settings")
    page.get_by_role("button", name="Delete server").click()
    confirm = page.get_by_role("dialog").get_by_role("button", name="Delete server")
    expect(confirm).to_have_attribute("aria-disabled", "true")
    page.get_by_label("Type old-shop to confirm").fill("old-shop")
    expect(confirm).not_to_have_attribute("aria-disabled", "true")


def test_acting_as_a_customer_shows_a_band(admin: Visitor) -> None:
    page = admin.page
    admin.open("/customers/{customer}")
    page.get_by_role("button", name="Act as this customer").click()
    page.wait_for_url("**/servers")
    expect(page.locator(".acting-band")).to_contain_text("acting as Northwind Traders")
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Hosts")).to_have_count(0)
    page.get_by_role("button", name="Stop acting").click()
    page.wait_for_url("**/customers/**")
    expect(page.locator(".acting-band")).to_have_count(0)


def test_the_theme_is_chosen_and_kept(owner: Visitor) -> None:
    page = owner.page
    owner.open("/profile")
    with page.expect_response(lambda answer: answer.request.method == "PATCH" and answer.url.endswith("/api/v1/me")):
        page.get_by_role("radio", name="Dark").check()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    owner.settle()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("radio", name="As the system").check()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def overhang_px(page: Page) -> int:
    """By how much the open dialog is wider inside than it is."""
    width: int = page.get_by_role("dialog").evaluate("dialog => dialog.scrollWidth - dialog.clientWidth")
    return width


def test_a_new_member_gets_a_link_that_sets_a_password_once(owner: Visitor, visit: Callable[..., Visitor]) -> None:
    page = owner.page
    owner.open("/team")
    page.get_by_role("button", name="Add member").first.click()
    page.get_by_label("E-mail").fill("new.person@northwind.example")
    page.get_by_role("dialog").get_by_role("button", name="Add member").click()
    link = page.locator(".command-line code").inner_text()
    assert overhang_px(page) == 0
    newcomer = visit()
    newcomer.page.goto(link)
    for field in ("password1", "password2"):
        newcomer.page.fill(f"[name={field}]", "a long sentence of mine")
    newcomer.page.click("button[type=submit]")
    expect(newcomer.page.locator("h1")).to_have_text("Servers")
    somebody = visit()
    somebody.page.goto(link)
    expect(somebody.page.locator("h1")).to_have_text("This link has ended")


def test_a_token_is_shown_once(owner: Visitor) -> None:
    page = owner.page
    owner.open("/tokens")
    page.get_by_role("button", name="Create token").first.click()
    page.get_by_label("Name").fill("backup script")
    page.get_by_role("dialog").get_by_role("button", name="Create token").click()
    expect(page.locator(".command-line code")).to_have_text(re.compile(r"^[A-Za-z0-9]{64}$"))
    assert overhang_px(page) == 0
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("cell", name=re.compile("backup script"))).to_be_visible()
