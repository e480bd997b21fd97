"""What opens above a page: inside the window, reachable, and readable by all."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.visitor import Visitor, axe_violations

PHONE, DESK = 390, 1440
INSIDE = """box => {
  const at = box.getBoundingClientRect();
  const items = [...box.querySelectorAll("[role^=menuitem]")];
  const hidden = items.filter((item) => {
    item.scrollIntoView({block: "nearest"});
    const {left, right, top, bottom} = item.getBoundingClientRect();
    return !item.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2));
  });
  const fits = at.left >= 0 && at.top >= 0 && at.right <= innerWidth && at.bottom <= innerHeight;
  return {fits, hidden: hidden.map((item) => item.textContent)};
}"""


def inside(menu: Locator) -> None:
    """Assert that a menu is in the window and each item can be pressed."""
    expect(menu).to_be_visible()
    assert menu.evaluate(INSIDE) == {"fits": True, "hidden": []}


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize(("path", "button"), [("/servers", "Power of"), ("/keys", "Change")], ids=["many", "one"])
def test_the_menu_of_the_last_row_is_reachable(
    visit: Callable[..., Visitor], path: str, button: str, width: int
) -> None:
    visitor = visit(who="owner", width=width)
    visitor.open(path)
    visitor.page.get_by_role("button", name=button).last.click()
    inside(visitor.page.locator(".menu"))


def test_filter_menus_stay_in_a_phones_window(visit: Callable[..., Visitor]) -> None:
    visitor = visit(who="admin", width=PHONE)
    visitor.open("/guests")
    for chip in ("Power: any", "Type: any", "Stage: any", "Sort: Created"):
        visitor.page.get_by_role("button", name=chip).click()
        inside(visitor.page.locator(".menu"))
        visitor.page.keyboard.press("Escape")


def test_on_a_phone_rows_are_selected_and_sorted(visit: Callable[..., Visitor]) -> None:
    visitor = visit(who="owner", width=PHONE)
    visitor.open("/servers")
    visitor.page.get_by_role("checkbox", name="Select vpn").click()
    expect(visitor.page.locator(".bulk-count")).to_have_text("1 selected")
    visitor.page.get_by_role("button", name="Sort: Created").click()
    visitor.page.get_by_role("menuitemradio", name="Name ↑").click()
    expect(visitor.page.locator("tbody tr").first).to_contain_text("backup")


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_what_opens_above_a_page_is_accessible(visit: Callable[..., Visitor], width: int) -> None:
    visitor = visit(who="admin", width=width)
    page = visitor.page
    visitor.open("/guests")
    page.get_by_role("button", name="Power of").first.click()
    expect(page.locator(".menu")).to_be_visible()
    assert axe_violations(visitor) == [], "menu"
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("web")
    expect(page.get_by_role("option", name="web-1").first).to_be_visible()
    assert axe_violations(visitor) == [], "palette"
    page.keyboard.press("Escape")
    for path, button in (("/customers", "Create customer"), ("/networks", "Create network"), ("/plans", "Create plan")):
        visitor.open(path)
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert axe_violations(visitor) == [], button
    visitor.open("/guests/{guest}?tab=settings")
    page.get_by_role("button", name="Rebuild guest").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert axe_violations(visitor) == [], "rebuild"
