"""What pages say of directories that servers were taken over from, and of a guest that its host has no more."""

import uuid

from playwright.sync_api import Page, expect

from tests.browser.visitor import SLOW_MS, Visitor, api, axe_violations


def with_more_pools(page: Page, path: str) -> None:
    """Have the API tell of two directories and a block device more, on the first pool's host."""
    answer = api(page, "GET", path)
    own = answer["results"][0]
    there = {**own, "for_new_guests": False, "used_gib": 1}
    for number in (1, 2):
        answer["results"].append(
            {**there, "id": str(uuid.uuid4()), "name": f"found-{number}", "path": f"/srv/{number}"}
        )
    device = {"path": "/dev/vg0", "capacity_bytes": 0, "available_bytes": 0, "limit_gib": 1, "left_alone": True}
    answer["results"].append({**there, **device, "id": str(uuid.uuid4()), "name": "vg0"})
    page.route("**/api/v1/pools?**", lambda route: route.fulfill(json=answer))


def test_the_overview_counts_a_file_system_once(admin: Visitor) -> None:
    def shown() -> tuple[str, int]:
        admin.open("/overview")
        parts = [admin.page.locator(f"section[aria-labelledby={name}]") for name in ("bars", "problems")]
        for part in parts:
            expect(part).to_be_visible(timeout=SLOW_MS)
        return parts[0].inner_text(), parts[1].locator(".problem-line").count()

    before = shown()
    with_more_pools(admin.page, "/pools?limit=1000")
    assert shown() == before


def test_a_hosts_page_says_of_such_a_directory_what_it_is(admin: Visitor) -> None:
    admin.open("/hosts/{host}")
    with_more_pools(admin.page, f"/pools?host={admin.site.ids['host']}&limit=100")
    admin.open("/hosts/{host}")
    pool = admin.page.locator("section[aria-labelledby=pools] .stack-small", has_text="found-1")
    expect(pool.locator(".meter-figures")).to_have_text("found-11 GiB")
    expect(pool).to_contain_text("Disks of servers that were taken over; no new ones go there.")
    assert axe_violations(admin) == []


def test_a_guest_that_its_host_has_no_more_says_so(admin: Visitor) -> None:
    path = f"/guests/{admin.site.ids['unseen']}"
    admin.open("/guests/{unseen}")
    guest = api(admin.page, "GET", path)
    reason = guest["status_reason"].replace("does not answer for it", "answers and does not have it")
    admin.page.route(f"**/api/v1{path}", lambda route: route.fulfill(json={**guest, "status_reason": reason}))
    admin.open("/guests/{unseen}")
    notice = admin.page.locator(".notice-warning").first
    expect(notice).to_contain_text("Its host answers, and does not have it.")
    expect(notice).to_contain_text("The differences say what can be done.")
    expect(notice).not_to_contain_text("It may well run")
    expect(notice.get_by_role("link", name="Open differences")).to_have_attribute("href", "/differences")
