"""The page of differences: found by the address, acted upon only after a question, and nothing typed is lost."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.limiter import LABEL, limiter_stop
from tests.browser.visitor import SLOW_MS, Visitor, api, axe_violations

ADDRESSES = "203.0.113.200 2001:db8:40::200"


def row(page: Page, label: str) -> Locator:
    """Return the row of a difference."""
    return page.locator("tbody tr", has_text=label)


def choose(page: Page, label: str, action: str) -> Locator:
    """Choose what to do about a difference, and return the dialog that asks."""
    page.get_by_role("button", name=f"What to do about {label}").click()
    page.get_by_role("menuitem", name=action).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def job_behind(page: Page) -> str:
    """Return the job that the last message links to."""
    link = page.locator(".toast-card").get_by_role("link", name="Open job")
    expect(link).to_be_visible(timeout=SLOW_MS)
    return str(link.get_attribute("href"))


def refuse(route: Route, sentence: str) -> None:
    """Answer as a server that cannot do it."""
    problem = {"status": 409, "code": "invalid_state", "detail": sentence, "request_id": "r"}
    route.fulfill(status=409, content_type="application/problem+json", body=json.dumps(problem))


def only_refusals(visitor: Visitor) -> None:
    """See that the console has nothing but the answers that the test asked for."""
    assert all("the server responded with a status of 4" in wrong for wrong in visitor.take_wrongs())


@pytest.fixture
def page(admin: Visitor) -> Iterator[Page]:
    """The list, opened by an administrator; what is ignored is open again afterwards."""
    admin.open("/differences")
    yield admin.page
    admin.site.sql("UPDATE vms_difference SET state = 'open' WHERE state = 'ignored'")


def test_a_configuration_changed_by_hand_says_what_of_it(admin: Visitor) -> None:
    """Of the list only one row is another."""
    mount = {"part": "filesystem /etc at /mnt", "change": "added"}

    def changed(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        found = {"changes": [mount, {"part": "title", "change": "changed"}], "more": 2}
        body["results"][0] |= {"kind": "configuration-changed", "severity": "high", "expected": {}, "found": found}
        route.fulfill(response=answer, json=body)

    admin.page.route("**/api/v1/differences?*", changed)
    admin.open("/differences")
    said = "Not what the panel would write: filesystem /etc at /mnt added, title changed, 2 more."
    expect(row(admin.page, said)).to_contain_text("High")
    assert admin.take_wrongs() == []


def test_the_filters_are_in_the_address(admin: Visitor, page: Page) -> None:
    expect(page.locator("tbody tr")).to_have_count(4)
    page.get_by_role("button", name="Kind: any").click()
    page.get_by_role("menuitemradio", name="Wrong size").click()
    expect(page).to_have_url(re.compile(r"[?&]kind=wrong-size"))
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(row(page, "web-1")).to_contain_text("Has 2 vCPUs, 8 GiB memory; should have 2 vCPUs, 2 GiB memory")
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(4)
    admin.open("/differences?severity=high")
    expect(row(page, "guest-data.qcow2")).to_contain_text("Its file is not in storage pool main any more.")
    expect(page.locator("tbody tr")).to_have_count(1)
    admin.open("/differences?state=closed")
    expect(page.locator(".empty-state")).to_contain_text("Nothing matches these filters.")
    page.get_by_role("button", name="State: Closed").click()
    page.get_by_role("menuitemradio", name="Open and suspected").click()
    expect(page.locator("tbody tr")).to_have_count(4)
    admin.open("/differences?host={slow_host}")
    expect(page.locator(".empty-state")).to_contain_text("The host has what the panel has.")
    page.get_by_role("link", name="Show all hosts").click()
    expect(page.locator("tbody tr")).to_have_count(4)


def test_a_repair_is_asked_for_and_leads_to_its_job(page: Page) -> None:
    dialog = choose(page, "web-1", "Repair")
    expect(dialog).to_contain_text("No running server is stopped")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator(".toast-card")).to_have_count(0)
    choose(page, "web-1", "Repair").get_by_role("button", name="Repair web-1").last.click()
    job = job_behind(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert api(page, "GET", job)["action"] == "guest.repair"
    api(page, "POST", f"{job}/actions/cancel", {})


def test_what_the_limiter_has_stopped_is_told_and_goes_on_when_staff_say_so(admin: Visitor, page: Page) -> None:
    limiter_stop(admin.site)
    admin.open("/health")
    said = "7 guests wait (6 stops of suspended guests, 1 deletion tried anew)."
    expect(page.locator("main")).to_contain_text(said)
    admin.open("/differences")
    expect(row(page, LABEL)).to_contain_text(
        "Waiting: 6 stops of suspended guests, 1 deletion tried anew (web-1, web-2, …). By itself the panel touches at "
        "most 3 guests in 10 minutes."
    )
    assert axe_violations(admin) == []
    dialog = choose(page, LABEL, "Let all go on")
    expect(dialog).to_contain_text("After a restore look first")
    dialog.get_by_role("button", name="Let all of them go on").last.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(row(page, LABEL)).to_have_count(0, timeout=SLOW_MS)  # nothing waits in the demo


def test_a_file_is_released_only_with_its_name_typed(admin: Visitor, page: Page) -> None:
    dialog = choose(page, "old-web.qcow2", "Release")
    expect(dialog).to_contain_text("The file is deleted with all data in it")
    button = dialog.get_by_role("button", name="Release old-web.qcow2").last
    dialog.get_by_label("Type old-web.qcow2 to confirm").fill("old-web")
    expect(button).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    answers: list[int] = []

    def hold(route: Route) -> None:  # the demo's pool has another name: the answer alone is made up
        assert json.loads(route.request.post_data or "{}") == {"confirm": "old-web.qcow2"}
        answers.append(1)
        refuse(route, "It has an owner by now.")

    page.route("**/actions/release", hold)
    dialog.get_by_label("Type old-web.qcow2 to confirm").fill("old-web.qcow2")
    button.click()
    expect(dialog.get_by_role("alert")).to_contain_text("It has an owner by now.")
    expect(dialog.get_by_label("Type old-web.qcow2 to confirm")).to_have_value("old-web.qcow2")
    assert answers == [1]
    only_refusals(admin)


def test_ignoring_needs_a_reason_which_the_list_shows(admin: Visitor, page: Page) -> None:
    dialog = choose(page, "erp-2019", "Ignore")
    button = dialog.get_by_role("button", name="Ignore difference").last
    expect(button).to_have_attribute("aria-disabled", "true")
    dialog.get_by_label("Reason").fill("The accountant's own")
    button.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    admin.open("/differences")
    expect(page.locator("tbody tr")).to_have_count(3)
    admin.open("/differences?state=ignored")
    expect(row(page, "erp-2019")).to_contain_text("The accountant's own")
    page.get_by_role("button", name="What to do about erp-2019").click()
    expect(page.get_by_role("menuitem", name="Ignore")).to_contain_text("It is ignored already.")
    expect(page.get_by_role("menuitem", name="Ignore")).to_have_attribute("aria-disabled", "true")


def test_a_mistake_of_the_page_itself_is_said_and_the_form_stays_of_use(admin: Visitor, page: Page) -> None:
    page.route("**/actions/ignore", lambda route: route.fulfill(status=200, json=None))
    dialog = choose(page, "erp-2019", "Ignore")
    dialog.get_by_label("Reason").fill("The accountant's own")
    button = dialog.get_by_role("button", name="Ignore difference").last
    button.click()
    expect(dialog.get_by_role("alert")).to_contain_text("Something went wrong in this page.")
    assert [wrong.partition(":")[0] for wrong in admin.take_wrongs()] == ["exception"]
    expect(dialog.get_by_label("Reason")).to_have_value("The accountant's own")
    page.unroute("**/actions/ignore")
    button.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("tbody tr")).to_have_count(3)


def test_taking_over_shows_errors_at_the_fields_and_keeps_what_was_typed(admin: Visitor, page: Page) -> None:
    dialog = choose(page, "erp-2019", "Take over")
    expect(dialog).to_contain_text("2 vCPUs, 4 GiB memory, 40 GiB of disk")
    plans = dialog.get_by_label("Plan", exact=True).locator("option")
    expect(plans.nth(1)).to_have_text("M1: fits", timeout=SLOW_MS)
    for said in ("S2: does not fit, has 2 GiB memory", "S1: does not fit, has 1 vCPU, 1 GiB memory, 20 GiB of disk",
                 "Container C1: not for KVM"):  # fmt: skip
        expect(plans.filter(has_text=said)).to_have_attribute("disabled", "")
    button = dialog.get_by_role("button", name="Take over server").last
    expect(button).to_have_attribute("aria-disabled", "true")
    dialog.get_by_label("Customer", exact=True).select_option(label="Hanbit Soft")
    name, addresses = dialog.get_by_label("Name", exact=True), dialog.get_by_label("Addresses")
    expect(name).to_have_value("erp-2019")
    name.fill("Not A Name")
    addresses.fill("nonsense")
    button.click()
    expect(name).to_have_attribute("aria-invalid", "true", timeout=SLOW_MS)
    expect(addresses).to_have_attribute("aria-invalid", "true")
    expect(dialog).to_contain_text("Enter a valid IPv4 or IPv6 address.")
    name.fill("erp")
    addresses.fill("192.0.2.7")
    button.click()
    expect(dialog).to_contain_text("192.0.2.7 is not in the network public-1.", timeout=SLOW_MS)
    expect(addresses).to_be_focused()
    expect(name).not_to_have_attribute("aria-invalid", "true")
    assert (name.input_value(), addresses.input_value()) == ("erp", "192.0.2.7")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Discard what you typed?")).to_be_visible()
    page.get_by_role("button", name="Keep editing").click()
    addresses.fill(ADDRESSES)
    sent: list[dict] = []

    def answer(route: Route) -> None:  # made up, so that the demo's customer keeps the servers it has
        sent.append(json.loads(route.request.post_data or "{}"))
        if sent[-1]["over_limit"]:
            route.fulfill(status=202, json={"job": {"id": admin.site.ids["running_job"]}})
        else:
            refuse(route, "The quota is used up.")

    page.route("**/actions/adopt", answer)
    button.click()
    expect(dialog.get_by_role("alert")).to_contain_text("The quota is used up.")
    assert addresses.input_value() == ADDRESSES
    dialog.get_by_label("Take it over also when").check()
    button.click()
    assert job_behind(page) == admin.site.path("/jobs/{running_job}")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert sent[1]["nics"] == [{"mac": "52:54:00:7a:10:01", "addresses": ADDRESSES.split()}]
    assert (sent[0]["over_limit"], sent[1]["over_limit"], sent[1]["name"]) == (False, True, "erp")
    only_refusals(admin)


def test_an_operator_sees_the_list_without_actions(visit: Callable[..., Visitor]) -> None:
    operator = visit(who="operator")
    operator.open("/differences")
    expect(operator.page.locator("tbody tr")).to_have_count(4)
    expect(operator.page.get_by_role("button", name="What to do about")).to_have_count(0)


@pytest.mark.parametrize("action", ["Take over", "Ignore"])
def test_the_dialogs_are_for_everybody_also_on_a_phone(visit: Callable[..., Visitor], action: str) -> None:
    visitor = visit(who="admin", width=390, theme="dark")
    visitor.open("/differences")
    expect(row(visitor.page, "erp-2019").get_by_role("link", name="fsn-01")).to_be_visible()
    dialog = choose(visitor.page, "erp-2019", action)
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert axe_violations(visitor) == []
