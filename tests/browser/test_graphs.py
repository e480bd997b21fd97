"""Graphs: chosen in the address, read by pointer, keys and table, loaded when they are needed."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.browser.visitor import Visitor

LIBRARY = re.compile(r"/vendor/uplot/")


def fetched(page: Page) -> list[str]:
    """The addresses of everything that the page has loaded."""
    urls: list[str] = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    return [url for url in urls if LIBRARY.search(url)]


def test_a_list_has_lines_but_not_the_library_of_graphs(visit: Callable[..., Visitor]) -> None:
    visitor = visit(who="owner")
    visitor.open("/servers")
    expect(visitor.page.locator("td svg[role=img]").first).to_have_accessible_name(
        re.compile(r"^CPU in the last hour: now \d+ %, at most \d+ %$")
    )
    assert fetched(visitor.page) == []
    visitor.open("/servers/{guest}")
    expect(visitor.page.locator(".graph canvas")).to_have_count(4)
    assert len(fetched(visitor.page)) == 2
    assert visitor.take_wrongs() == []


def test_the_time_is_in_the_address_and_back_works(visit: Callable[..., Visitor]) -> None:
    visitor = visit(who="owner")
    page = visitor.page
    visitor.open("/servers/{guest}?tab=metrics")
    expect(page.get_by_role("button", name="1 h", exact=True)).to_have_attribute("aria-pressed", "true")
    with page.expect_response(lambda answer: "range=7d" in answer.url):
        page.get_by_role("button", name="7 d", exact=True).click()
    expect(page).to_have_url(re.compile(r"range=7d"))
    expect(page.get_by_role("button", name="7 d", exact=True)).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.get_by_role("button", name="1 h", exact=True)).to_have_attribute("aria-pressed", "true")
    visitor.settle()
    assert visitor.take_wrongs() == []


def test_arrow_keys_read_exact_values_with_their_unit(visit: Callable[..., Visitor]) -> None:
    visitor = visit(who="owner")
    page = visitor.page
    visitor.open("/servers/{guest}?tab=metrics&range=24h")
    page.get_by_role("img", name=re.compile(r"^Network\.")).focus()
    page.keyboard.press("End")
    tip = page.locator(".graph-tip")
    expect(tip).to_have_count(1)
    first = tip.inner_text()
    assert "Received" in first
    assert "Sent" in first
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    expect(tip).not_to_have_text(first)
    assert re.search(r"\d (B|KiB|MiB)/s", tip.inner_text())
    assert "peak" in tip.inner_text()


def test_the_table_says_the_same_and_gaps_are_no_zeros(visit: Callable[..., Visitor]) -> None:
    visitor = visit(who="owner")
    page = visitor.page
    visitor.open("/servers/{guest}?tab=metrics")
    page.get_by_role("button", name="Show table").click()
    expect(page).to_have_url(re.compile(r"view=table"))
    table = page.get_by_role("table")
    expect(table.locator("caption")).to_have_text("Usage: Last hour")
    expect(table.locator("tbody tr")).to_have_count(240)
    heads = table.locator("thead th").all_inner_texts()
    assert [head.strip() for head in heads][:4] == ["Time", "CPU", "Memory", "Disk throughput: Read"]
    cells = table.locator("tbody tr td:nth-child(2)").all_inner_texts()
    assert sum(cell == "–" for cell in cells) >= 19  # five minutes that nobody saw
    assert all(cell == "–" or cell.endswith(" %") for cell in cells)
    page.get_by_role("button", name="Show graphs").click()
    expect(page.locator(".graph canvas").first).to_be_visible()


def test_a_server_without_samples_says_when_they_come(visit: Callable[..., Visitor]) -> None:
    visitor = visit(who="owner")
    visitor.open("/servers/{building}?tab=metrics")
    expect(visitor.page.get_by_text("No samples yet: the first appear within a minute.")).to_be_visible()


def test_what_a_host_does_not_measure_is_no_line_at_nothing(visit: Callable[..., Visitor]) -> None:
    """Of the answer only the four series of disks are others: not known, as of containers on some hosts."""

    def uncounted(route: Route) -> None:
        answer = route.fetch()
        found = answer.json()
        for name, values in found["series"].items():
            if name.startswith("disk_"):
                found["series"][name] = found["peaks"][name] = [None] * len(values)
        route.fulfill(response=answer, json=found)

    visitor = visit(who="owner")
    page = visitor.page
    page.route("**/api/v1/guests/*/metrics?*", uncounted)
    said = "This host does not measure it for this server, or there was none since the last start."
    visitor.open("/servers/{guest}")
    expect(page.get_by_text(f"Not shown: Disk throughput. {said}")).to_be_visible()
    expect(page.locator(".graph canvas")).to_have_count(3)
    visitor.open("/servers/{guest}?tab=metrics")
    expect(page.get_by_text(f"Not shown: Disk throughput, Disk operations. {said}")).to_be_visible()
    expect(page.locator(".graph h3")).to_have_text(["CPU", "Memory", "Network", "Waiting for a processor"])
    page.get_by_role("button", name="Show table").click()
    expect(page.get_by_role("table").locator("thead th", has_text="Disk")).to_have_count(0)
    expect(page.get_by_text("Not shown: Disk throughput, Disk operations.")).to_be_visible()
    assert visitor.take_wrongs() == []


def test_utilisation_begins_with_what_idles(visit: Callable[..., Visitor]) -> None:
    visitor = visit(who="admin")
    visitor.open("/utilisation")
    rows = visitor.page.locator(".use-list tbody tr")
    shares = [float(text.split()[0]) for text in rows.locator("td:nth-child(4)").all_inner_texts() if text != "–"]
    assert shares == sorted(shares)
    assert len(shares) == 5
    expect(rows.last).to_contain_text("No samples")
    expect(rows.first).to_contain_text("Idle")
    assert visitor.take_wrongs() == []
