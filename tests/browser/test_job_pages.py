"""Pages of jobs, and of servers that nobody sees: what happened, what can be done, and what cannot with the reason."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.visitor import SLOW_MS, Visitor

CLOCK = re.compile(r"Last seen .*\d{2}:\d{2}")


def test_a_failed_change_of_size_is_tried_again_with_one_button(owner: Visitor) -> None:
    page = owner.page
    owner.open("/jobs/{resize_job}")
    expect(page.get_by_role("group", name="What happened")).to_contain_text("You can try again")
    new = owner.site.ids["running_job"]  # made up, so that the demo's server stays free
    page.route("**/actions/retry", lambda route: route.fulfill(status=202, json={"job": {"id": new}}))
    with page.expect_request("**/actions/retry"):
        page.get_by_role("button", name="Try again").click()
    page.wait_for_url(f"**/jobs/{new}")
    expect(page.get_by_role("button", name="Cancel job")).to_be_visible(timeout=SLOW_MS)


def test_what_would_be_refused_has_no_button_but_the_reason(owner: Visitor) -> None:
    owner.open("/jobs/{old_job}")
    told = owner.page.get_by_role("group", name="What happened")
    expect(told).to_contain_text("It cannot be tried again now. This job has not kept what was asked for.")
    expect(owner.page.get_by_role("button", name="Try again")).to_have_count(0)


def test_jobs_of_the_fleet_name_what_they_work_on(admin: Visitor) -> None:
    for name, title in (
        ("copying_job", "Copy image Debian 12 (KVM) → fsn-01"),
        ("adopt_job", "Take over guest erp-2019"),
        ("release_job", "Delete volume without owner old-web.qcow2"),
        ("repair_job", "Repair guest web-1"),
    ):
        admin.open(f"/jobs/{{{name}}}")
        expect(admin.page.locator("h1")).to_have_text(title)
    admin.open("/jobs/{copying_job}")
    expect(admin.page.locator(".step")).to_contain_text("1.2 GiB of 3 GiB · 214 MiB/s")


def test_a_job_of_many_lists_its_servers_by_name(owner: Visitor) -> None:
    owner.open("/jobs/{many_job}")
    row = owner.page.locator("tbody tr", has_text="ci-runner")
    expect(row).to_contain_text("The server did not react to the request in time.")
    row.get_by_role("link", name="ci-runner").click()
    expect(owner.page.locator("h1")).to_have_text("Shut down server ci-runner")


def test_the_list_is_filtered_by_any_action_and_has_parts_of_jobs_of_many_then(admin: Visitor) -> None:
    admin.open("/jobs?status=error&action=volume.release")
    expect(admin.page.locator("tbody tr")).to_have_count(1)
    expect(admin.page.get_by_role("button", name="Action: Delete volume without owner")).to_be_visible()
    admin.open("/jobs?status=error&action=guest.shutdown")
    expect(admin.page.locator("tbody tr", has_text="ci-runner")).to_have_count(1)


def test_attempts_are_told_apart_on_a_phone(visit: Callable[..., Visitor]) -> None:
    visitor = visit(who="admin", width=390)
    visitor.open("/jobs/{failed_job}")
    labels = visitor.page.locator("section[aria-labelledby=attempts] td[data-label]")
    assert labels.evaluate_all("cells => cells.slice(0, 2).map(one => one.dataset.label)") == ["Attempt", "Took"]


def test_a_server_that_nobody_looks_at_is_unknown_and_may_well_run(owner: Visitor, admin: Visitor) -> None:
    owner.open("/servers")
    expect(owner.page.locator("tr", has_text="vpn")).to_contain_text(re.compile(r"Unknown, last seen .*\d{2}:\d{2}"))
    owner.open("/servers/{unwatched}")
    notice = owner.page.locator(".notice-warning").first
    expect(notice).to_contain_text("The panel has not looked at it lately.")
    expect(notice).to_contain_text(CLOCK)
    expect(notice).to_contain_text("You need not do anything.")
    admin.open("/guests/{unseen}")
    notice = admin.page.locator(".notice-warning").first
    expect(notice).to_contain_text("Its host does not answer.")
    expect(notice).to_contain_text(CLOCK)
    notice.get_by_role("link", name="Show health").click()
    expect(admin.page.locator("h1")).to_have_text("Health")
