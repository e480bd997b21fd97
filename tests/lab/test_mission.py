"""The mission, in a real browser: sign up a customer, sell them a machine and a container, be root on both."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lab.client import Api
from lab.guest import Login, fingerprints, key_make
from lab.outside import ADDRESS_V4, ADDRESS_V6
from lab.server import wait_until
from lab.wire import Listener
from tests.browser.site import Site
from tests.browser.visitor import Visitor, visitor_make
from tests.lab.conftest import Lab

pytestmark = [pytest.mark.browser, pytest.mark.kvm, pytest.mark.lxc, pytest.mark.timeout(900)]
CUSTOMER, EMAIL, PASSWORD = "Northwind Traders", "grace@northwind.example", "a long sentence of mine"
BUILT_MS, ACTION_MS = 240_000, 120_000
SERVER_URL = re.compile(r"/servers/([0-9a-f-]{36})$")
TYPES = {"kvm": "shop-kvm", "lxc": "shop-lxc"}


@pytest.fixture
def person(chromium: Browser, lab: Lab) -> Iterator[Callable[[], Visitor]]:
    """A new person with a browser window of their own."""
    site = Site(lab.panel.url, lab.panel.port, {}, {}, lab.panel.logs / "web.log")
    opened: list[Visitor] = []

    def make() -> Visitor:
        opened.append(visitor_make(chromium, site))
        opened[-1].page.set_default_timeout(20_000)
        expect.set_options(timeout=20_000)
        return opened[-1]

    yield make
    for visitor in opened:
        visitor.context.close()


def sign_in(visitor: Visitor, email: str, password: str) -> Page:
    visitor.sign_in(email, password)
    return visitor.page


def make_customer(visitor: Visitor) -> str:
    """Make customer and owner in the pages; return the link that sets the owner's password."""
    page = visitor.page
    visitor.open("/customers")
    page.get_by_role("button", name="Create customer").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill(CUSTOMER)
    dialog.get_by_role("button", name="Create customer").click()
    page.wait_for_url("**/customers/*")
    visitor.settle()
    page.get_by_role("tab", name="People and quota").click()
    page.get_by_role("button", name="Add member").first.click()
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_role("dialog").get_by_label("Role").select_option("owner")
    page.get_by_role("dialog").get_by_role("button", name="Add member").click()
    link = page.locator(".command-line code").inner_text()
    page.get_by_role("button", name="I have handed it over").click()
    return link


def make_plan(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("/plans")
    page.get_by_role("button", name="Create plan").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Starter")
    dialog.get_by_label("Memory, MiB").fill("256")
    dialog.get_by_label("Disk, GiB").fill("1")
    dialog.get_by_label("Price a month").fill("3.00")
    dialog.get_by_role("button", name="Create plan").click()
    expect(page.get_by_role("cell", name="Starter starter")).to_be_visible()


def set_password(visitor: Visitor, link: str) -> None:
    page = visitor.page
    page.goto(link)
    for field in ("password1", "password2"):
        page.fill(f"[name={field}]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: url != link and "/set-password" not in url)
    page.close()  # signing in with it is a step of its own, in another window


def add_key(visitor: Visitor, public_key: str) -> None:
    page = visitor.page
    visitor.open("/keys")
    page.get_by_role("button", name="Add key").first.click()
    page.get_by_label("Public key").fill(public_key)
    page.get_by_role("dialog").get_by_role("button", name="Add key").click()
    expect(page.get_by_role("cell", name=re.compile("^customer@example.com"))).to_be_visible()


def order_in_page(visitor: Visitor, host_type: str, name: str) -> str:
    """Order a server in the page, watch it being built, and return its id."""
    page = visitor.page
    visitor.open("/servers/new")
    page.get_by_role("radio", name=re.compile("Micro")).check()
    page.locator(f"input[name=host_type][value={host_type}]").check()
    page.get_by_role("radio", name=re.compile("Starter")).check()
    page.get_by_label("Name", exact=True).fill(name)
    submit = page.locator(".summary button[type=submit]")
    expect(submit).not_to_have_attribute("aria-disabled", "true")
    submit.click()
    page.wait_for_url(SERVER_URL)
    visitor.settle()
    expect(page.locator("h1")).to_contain_text(name)
    expect(page.locator(".server-sub")).to_contain_text("Running", timeout=BUILT_MS)
    expect(page.locator(".fingerprints li").first).to_be_visible(timeout=BUILT_MS)
    found = SERVER_URL.search(page.url)
    assert found is not None
    return found[1]


def power(visitor: Visitor, server: str, item: str, *, then: str) -> None:
    """Choose something of a server's Power menu and wait for the status it leads to, without a reload."""
    page = visitor.page
    visitor.open(f"/servers/{server}")
    page.get_by_role("button", name="Power", exact=True).click()
    page.get_by_role("menuitem", name=re.compile(f"^{item}")).click()
    if item == "Power off":
        page.get_by_role("dialog").get_by_role("button", name=item).click()
    expect(page.locator(".toast-card").first).to_contain_text(item)
    if item == "Reboot":
        expect(page.locator(".server-sub")).to_contain_text("Rebooting")
    expect(page.locator(".server-sub")).to_contain_text(then, timeout=ACTION_MS)


def delete(visitor: Visitor, server: str, name: str) -> None:
    page = visitor.page
    visitor.open(f"/servers/{server}?tab=settings")
    page.get_by_role("button", name="Delete server").click()
    page.get_by_label(f"Type {name} to confirm").fill(name)
    page.get_by_role("dialog").get_by_role("button", name="Delete server").click()
    page.wait_for_url(re.compile(r"/servers$"))  # the page goes there by itself
    visitor.settle()
    expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0, timeout=ACTION_MS)


def shown_addresses(page: Page) -> list[str]:
    """Return the addresses in the commands of "Log in as root"."""
    return re.findall(r"ssh root@(\S+)", page.locator(".root-card").inner_text())


def is_root(lab: Lab, login: Login, name: str, addresses: list[str]) -> None:
    """The server is what was ordered: root, name, addresses, the way out, and no way in from outside."""
    wait_until(login.works, f"login to {name}", timeout_s=120)
    assert login.run("id -u") == "0"
    assert login.run("hostname") == name
    configured = login.run("ip -o addr show scope global")
    for address in addresses:
        assert f" {address}/" in configured
        assert not lab.outside.reaches(address, 22)
    assert login.run(f"wget -q -O - http://{ADDRESS_V4}/") == "198.51.100.1"
    assert login.run(f"wget -q -O - http://[{ADDRESS_V6}]/") == "2001:db8:100::1"


def another_customer_gets_nowhere(lab: Lab, order_server, servers: list[str], addresses: list[str]) -> None:
    """Their token sees none of it, and their root on the same host cannot take the addresses."""
    other = lab.admin.post("/customers", {"name": "Contoso"})["id"]
    member = lab.admin.post(f"/customers/{other}/members", {"email": "eve@contoso.example", "role": "owner"})
    token = lab.panel.token_of(member["user"]["email"])
    eve = Api(lab.admin.host, lab.admin.port, token)
    for server in servers:
        assert eve.call("GET", f"/guests/{server}").status == 404
        assert eve.call("POST", f"/guests/{server}/actions/stop", {}).status == 404
        assert eve.call("DELETE", f"/guests/{server}").status == 404
    thief = order_server("lxc", name="thief", customer=other)
    root = thief.wait_login()
    device = root.run("ip -o -4 addr show scope global | awk '{print $2; exit}'")
    with Listener(lab.host.bridge) as heard:
        for address in addresses:
            prefix, ping, gateway = ("64", "ping -6", "fd00:90::1") if ":" in address else ("24", "ping", "10.90.0.1")
            root.run(f"ip addr add {address}/{prefix} dev {device}", check=False)
            said = root.run(f"{ping} -c 2 -W 1 -I {address} {gateway}; echo $?", check=False)
            assert said.splitlines()[-1] != "0"
    assert [address for address in addresses if heard.naming(address)] == []
    thief.delete()


def test_the_mission(lab: Lab, person: Callable[[], Visitor], order, tmp_path: Path) -> None:
    key = key_make(tmp_path)
    before = lab.host.contents()
    admin, grace = person(), person()

    sign_in(admin, lab.panel.admin_email, lab.panel.admin_password)
    link = make_customer(admin)
    make_plan(admin)

    set_password(person(), link)
    page = sign_in(grace, EMAIL, PASSWORD)
    add_key(grace, key.public)
    servers, logins, addresses = {}, {}, {}
    for host_type, name in TYPES.items():
        servers[host_type] = order_in_page(grace, host_type, name)
        addresses[host_type] = sorted(set(shown_addresses(page)))
        assert len(addresses[host_type]) == 2
        (v4,) = (address for address in addresses[host_type] if ":" not in address)
        logins[host_type] = Login(v4, key=key)
        shown = set(page.locator(".fingerprints code").all_inner_texts())
        is_root(lab, logins[host_type], name, addresses[host_type])
        assert fingerprints(v4) <= shown

    for host_type in TYPES:
        power(grace, servers[host_type], "Shut down", then="Off")
        assert not logins[host_type].works()
    # Both are off: nothing but the host's rules keeps others from their addresses.
    another_customer_gets_nowhere(lab, order, [*servers.values()], [*addresses["kvm"], *addresses["lxc"]])
    for host_type, name in TYPES.items():
        power(grace, servers[host_type], "Start", then="Running")
        is_root(lab, logins[host_type], name, addresses[host_type])
        power(grace, servers[host_type], "Reboot", then="Running")
        is_root(lab, logins[host_type], name, addresses[host_type])

    for host_type, name in TYPES.items():
        delete(grace, servers[host_type], name)
    lab.wait_empty(before, timeout_s=60)
    assert [lab.host.groups_of(server) for server in servers.values()] == [[], []]
    assert [*admin.take_wrongs(), *grace.take_wrongs()] == []
