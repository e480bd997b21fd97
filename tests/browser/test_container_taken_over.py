"""What pages say of a container of somebody else's, before and after it is taken over: its disk is its host's."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.test_differences import ADDRESSES, choose, row
from tests.browser.visitor import SLOW_MS, Visitor, api, axe_violations

ROOT = {
    "target": "/", "kind": "filesystem", "source": "directory", "path": "/srv/erp/rootfs", "format": "raw",
    "capacity_bytes": 0, "read_only": False, "volume": None,
}  # fmt: skip
SHARED = ROOT | {"target": "/data", "path": "/srv/shared"}
ACCEPT = "I accept that its root may become root of the host"


def found(visitor: Visitor, *, user_namespace: bool) -> Page:
    """Open the list as it is, but that erp-2019 is a container."""
    visitor.open("/differences")
    answer = api(visitor.page, "GET", "/differences")
    for one in answer["results"]:
        if one["label"] == "erp-2019":
            one["host_type"] = "lxc"
            one["found"] |= {"user_namespace": user_namespace, "disks": [ROOT, SHARED]}
    visitor.page.route("**/api/v1/differences?**", lambda route: route.fulfill(json=answer))
    visitor.open("/differences")
    return visitor.page


def test_root_of_the_host_is_accepted_before_it_is_taken_over(admin: Visitor) -> None:
    page = found(admin, user_namespace=False)
    expect(row(page, "erp-2019")).to_contain_text("without a user namespace")
    sent: list[dict[str, Any]] = []

    def answer(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "{}"))
        route.fulfill(status=202, json={"job": {"id": admin.site.ids["running_job"]}})

    page.route("**/actions/adopt", answer)
    dialog = choose(page, "erp-2019", "Take over")
    expect(dialog).to_contain_text("2 vCPUs, 4 GiB memory, disk left to its host")
    expect(dialog).to_contain_text("/srv/erp/rootfs (a directory of the host, left as it is)")
    expect(dialog).not_to_contain_text("/srv/shared")
    plans = dialog.get_by_label("Plan", exact=True).locator("option")
    expect(plans.nth(1)).to_have_text("M1: fits", timeout=SLOW_MS)  # whatever disk it has
    dialog.get_by_label("Customer", exact=True).select_option(label="Hanbit Soft")
    dialog.get_by_label("Addresses").fill(ADDRESSES)
    button = dialog.get_by_role("button", name="Take over server").last
    expect(button).to_have_attribute("aria-disabled", "true")
    dialog.get_by_label(ACCEPT).check()
    button.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert [(one["accept_host_root"], one["over_limit"]) for one in sent] == [(True, False)]


def test_with_a_user_namespace_nothing_is_asked(admin: Visitor) -> None:
    page = found(admin, user_namespace=True)
    expect(row(page, "erp-2019")).not_to_contain_text("user namespace")
    dialog = choose(page, "erp-2019", "Take over")
    dialog.get_by_label("Customer", exact=True).select_option(label="Hanbit Soft")
    expect(dialog.get_by_label(ACCEPT)).to_have_count(0)
    button = dialog.get_by_role("button", name="Take over server").last
    expect(button).not_to_have_attribute("aria-disabled", "true")


@pytest.mark.parametrize("width", [390, 1440])
def test_what_is_to_be_accepted_is_for_everybody(visit: Callable[..., Visitor], width: int) -> None:
    visitor = visit(who="admin", width=width, theme="dark")
    page = found(visitor, user_namespace=False)
    choose(page, "erp-2019", "Take over").get_by_label(ACCEPT).scroll_into_view_if_needed()
    assert axe_violations(visitor) == []


def test_a_server_on_a_directory_has_no_size_of_disk(admin: Visitor) -> None:
    page, path = admin.page, f"/guests/{admin.site.ids['guest']}"
    admin.open(path)
    guest = api(page, "GET", path) | {"disk_gib": 0, "power_state": "shutoff", "status": "off"}
    guest["supports"] = [{"action": one["action"], "allowed": True, "reason": ""} for one in guest["supports"]]
    page.route(f"**/api/v1{path}", lambda route: route.fulfill(json=guest))
    admin.open(path)
    expect(page.get_by_text("disk left to its host")).to_be_visible()
    expect(page.get_by_text("0 GiB")).to_have_count(0)
    admin.open(f"{path}?tab=settings")
    page.get_by_role("button", name="Resize").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The disk is left to its host")
    dialog.get_by_label("A size of its own").check()
    expect(dialog.get_by_label("Memory, MiB")).to_be_visible()
    expect(dialog.get_by_label("Disk, GiB")).to_have_count(0)
    sent: list[dict[str, Any]] = []

    def answer(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "{}"))
        route.abort()

    page.route("**/actions/resize", answer)
    dialog.get_by_role("button", name="Resize").last.click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    assert [sorted(one) for one in sent] == [["memory_mib", "vcpus"]]
    admin.take_wrongs()
