"""A customer's whole way with the keyboard alone: nothing traps it, and where it is can be seen."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.pages import OWNER, PASSWORD
from tests.browser.visitor import SLOW_MS, Visitor, api

MOST_TABS = 60
NAME = "by-keyboard"
WHERE = """() => {
  const at = document.activeElement;
  const shown = at.matches("input[type=radio], input[type=checkbox]") && at.closest("label") || at;
  const marked = (one) => {
    const style = getComputedStyle(one);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
  };
  const {left, right, top, bottom, width, height} = shown.getBoundingClientRect();
  const above = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  return {
    lost: at === document.body,
    hidden: !(marked(at) || marked(shown)) || width < 2 || height < 2 || !(above && shown.contains(above)),
    html: at.outerHTML.slice(0, 160),
  };
}"""


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press Tab until ``wanted`` has the focus; at every stop the focus must be visible."""
    for _ in range(MOST_TABS):
        page.keyboard.press(key)
        at = page.evaluate(WHERE)
        assert at["lost"] or not at["hidden"], f"the focus cannot be seen: {at['html']}"
        if not at["lost"] and wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"{MOST_TABS} times {key} do not lead to {wanted}")


def carried_out(visitor: Visitor, power_state: str) -> str:
    """Do what the worker would: what was asked of the server is done. Returns its id."""
    guest: str = api(visitor.page, "GET", f"/guests?search={NAME}")["results"][0]["id"]
    visitor.site.sql(
        "UPDATE core_job SET status = 'success', progress_percent = 100, finished_at = now() WHERE finished_at IS NULL"
        f" AND id IN (SELECT job_id FROM core_jobresource WHERE resource_id = '{guest}')",
        f"UPDATE core_jobresource SET slot = NULL WHERE resource_id = '{guest}'",
        f"UPDATE vms_guest SET lifecycle = 'active', power_state = '{power_state}', observed_at = now()"
        f" WHERE id = '{guest}'",
    )
    return guest


def menu_to(page: Page, wanted: Locator) -> None:
    """Press the arrow until ``wanted``, an item of the open menu, has the focus."""
    for _ in range(MOST_TABS):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"The arrows do not lead to {wanted}")


def test_sign_in_create_open_stop_and_delete_by_keyboard_alone(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page, keyboard = visitor.page, visitor.page.keyboard
    page.goto(f"{visitor.site.url}/accounts/login/")
    expect(page.get_by_role("textbox").first).to_be_focused()
    keyboard.type(OWNER)
    keyboard.press("Tab")
    keyboard.type(PASSWORD)
    keyboard.press("Enter")
    page.wait_for_url("**/servers")
    visitor.settle()

    tab_to(page, page.get_by_role("link", name="Create server"))
    keyboard.press("Enter")
    page.wait_for_url("**/servers/new")
    visitor.settle()
    tab_to(page, page.locator("[name=image]:checked"))
    tab_to(page, page.locator("[name=plan]:checked"))
    keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name=re.compile("S2"))).to_be_checked()
    tab_to(page, page.get_by_label("Name", exact=True))
    keyboard.press("Control+a")
    keyboard.type(NAME)
    submit = page.locator(".summary button[type=submit]")
    expect(submit).not_to_have_attribute("aria-disabled", "true", timeout=SLOW_MS)
    tab_to(page, submit)
    keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/servers/[0-9a-f-]{36}$"))
    visitor.settle()
    guest = carried_out(visitor, "running")

    visitor.open("/servers")
    tab_to(page, page.get_by_role("link", name=NAME, exact=True))
    keyboard.press("Enter")
    page.wait_for_url(f"**/servers/{guest}")
    visitor.settle()
    tab_to(page, page.get_by_role("button", name="Power", exact=True))
    keyboard.press("Enter")
    off = page.get_by_role("menuitem", name="Power off")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    menu_to(page, off)
    keyboard.press("Enter")
    confirm = page.get_by_role("dialog").get_by_role("button", name="Power off")
    expect(confirm).to_be_visible()
    keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Power", exact=True)).to_be_focused()
    keyboard.press("Enter")
    menu_to(page, off)
    keyboard.press("Enter")
    tab_to(page, confirm)
    keyboard.press("Enter")
    expect(page.locator(".server-sub")).to_contain_text("Powering off", timeout=SLOW_MS)
    carried_out(visitor, "shutoff")

    visitor.open(f"/servers/{guest}")
    tab_to(page, page.get_by_role("tab", name="Overview"))
    keyboard.press("End")
    expect(page.get_by_role("tab", name="Settings")).to_have_attribute("aria-selected", "true")
    delete = page.get_by_role("button", name="Delete server").first
    tab_to(page, delete)
    keyboard.press("Enter")
    expect(page.get_by_label(f"Type {NAME} to confirm")).to_be_focused()
    keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(delete).to_be_focused()
    keyboard.press("Enter")
    keyboard.type(NAME)
    keyboard.press("Enter")
    page.wait_for_url("**/servers")
    visitor.settle()
    expect(page.locator("tr", has_text=NAME)).to_contain_text("Being deleted", timeout=SLOW_MS)
