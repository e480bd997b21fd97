"""The guests' network on a machine that others change too: subnets, forwarding, IPv6 that is off."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from panel.setup import forwarding, guest_network, installations, machine_lock
from panel.setup.context import Context
from panel.setup.errors import SetupError
from panel.setup.guest_network import network_ensure, network_remove
from panel.setup.installations import installation_save
from panel.setup.layout import Layout
from panel.setup.listen import Listen
from panel.setup.steps import Records

OTHER = "bbbb"


class Machine:
    """What the set-up sees of a machine: routes, switches; and what it ran."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.routes = [{"dst": "default", "dev": "eth0"}, {"dst": "192.168.1.0/24", "dev": "eth0"}]
        self.default_v6 = [{"dst": "default", "protocol": "static"}]
        self.ran: list[str] = []
        self.v4 = folder / "ip_forward"
        self.conf = folder / "ipv6" / "conf"
        self.v4.write_text("0\n")
        for scope in ("all", "default"):
            (self.conf / scope).mkdir(parents=True)
            (self.conf / scope / "disable_ipv6").write_text("0\n")
        self.v6 = self.conf / "all" / "forwarding"
        self.v6.write_text("0\n")

    def run(self, command: list[str], *, failure: str, input: str = "") -> str:
        self.ran.append(" ".join(command) + (f"\n{input}" if input else ""))
        if "route" in command:
            return json.dumps(self.routes if "-4" in command else self.default_v6)
        return ""

    def layout(self, identity: str) -> Layout:
        state = self.folder / identity
        state.mkdir(exist_ok=True)
        layout = Layout(self.folder, identity, state, self.folder, self.folder, self.folder)
        installation_save(layout.installation)
        return layout

    def context(self, identity: str, **environment: str) -> Context:
        layout = self.layout(identity)
        return Context(layout, Records.load(layout.records), environment, Listen("127.0.0.1", 8000))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path)
    monkeypatch.setattr(machine_lock, "_FOLDER", tmp_path / "lock")
    monkeypatch.setattr(installations, "_FOLDER", tmp_path / "known")
    monkeypatch.setattr(forwarding, "_RECORD", tmp_path / "record.json")
    monkeypatch.setattr(forwarding, "_IPV4", found.v4)
    monkeypatch.setattr(forwarding, "_IPV6", found.v6)
    monkeypatch.setattr(forwarding, "run", found.run)
    monkeypatch.setattr(guest_network, "run", found.run)
    monkeypatch.setattr(guest_network, "_ensure_bridge", lambda layout, subnets: None)
    return found


# ── subnets ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_subnet_of_another_checkout_is_left_to_it_even_while_that_is_down(machine: Machine):
    first = network_ensure(machine.context(OTHER))
    second = network_ensure(machine.context("aaaa"))
    assert [str(network.subnets.v4) for network in (first, second)] == ["10.90.0.0/24", "10.90.1.0/24"]
    with pytest.raises(
        SetupError, match=r"GUEST_NETWORK=10\.90\.0\.0/23 is in use on this machine \(10\.90\.\d\.0/24\)"
    ):
        network_ensure(machine.context("cccc", GUEST_NETWORK="10.90.0.0/23"))


def test_a_subnet_stays_once_chosen_and_ones_own_bridge_is_no_conflict(machine: Machine):
    network_ensure(machine.context("aaaa"))
    machine.routes.append({"dst": "10.90.0.0/24", "dev": "inkaaaa"})
    assert str(network_ensure(machine.context("aaaa", GUEST_NETWORK="10.91.0.0/24")).subnets.v4) == "10.90.0.0/24"


def test_a_chosen_subnet_that_something_else_uses_by_now_is_said(machine: Machine):
    network_ensure(machine.context("aaaa"))
    machine.routes.append({"dst": "10.90.0.0/25", "dev": "docker0"})
    ran = len(machine.ran)
    with pytest.raises(SetupError, match=r"subnet 10\.90\.0\.0/24 is now used by docker0 as well \(10\.90\.0\.0/25\)"):
        network_ensure(machine.context("aaaa"))
    assert not any("nft" in command for command in machine.ran[ran:])


# ── IPv6 that is off ────────────────────────────────────────────────────────────────────────────────────────────────
def no_ipv6_in_the_kernel(machine: Machine) -> None:
    for path in (machine.conf / "all" / "disable_ipv6", machine.conf / "default" / "disable_ipv6", machine.v6):
        path.unlink()


def ipv6_disabled(machine: Machine) -> None:
    (machine.conf / "default" / "disable_ipv6").write_text("1\n")


@pytest.mark.parametrize("switch_off", [no_ipv6_in_the_kernel, ipv6_disabled])
def test_without_ipv6_the_set_up_goes_on_and_says_so(machine: Machine, switch_off: Callable[[Machine], None]):
    switch_off(machine)
    network = network_ensure(machine.context("aaaa"))
    assert network.subnets.v6 is None
    assert network.subnets.gateway_v6 == ""
    assert network.subnets.machine_addresses == ("10.90.0.1/24",)
    assert network.words == "inkaaaa: 10.90.0.0/24, no IPv6, since it is switched off on this machine"
    assert "ip6" not in machine.ran[-1]
    assert machine.v4.read_text() == "1\n"


def test_with_ipv6_it_has_a_subnet_and_is_masqueraded(machine: Machine):
    network = network_ensure(machine.context("aaaa"))
    assert network.subnets.v6 is not None
    assert network.words == f"inkaaaa: 10.90.0.0/24, {network.subnets.v6}"
    assert f"ip6 saddr {network.subnets.v6}" in machine.ran[-1]


# ── forwarding ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_forwarding_is_put_back_by_the_last_one(machine: Machine, tmp_path: Path):
    machine.default_v6 = [{"dst": "default", "protocol": "ra"}]
    first, second = machine.layout("aaaa"), machine.layout(OTHER)
    assert forwarding.forwarding_claim(first) is False, "a default route by advertisement would be lost"
    forwarding.forwarding_claim(second)
    forwarding.forwarding_claim(second)
    forwarding.forwarding_release(first)
    assert machine.v4.read_text().strip() == "1"
    forwarding.forwarding_release(second)
    assert machine.v4.read_text().strip() == "0"
    assert not (tmp_path / "record.json").exists()
    assert [*(tmp_path / "lock").iterdir()] == []


def test_forwarding_that_was_on_stays_on(machine: Machine):
    machine.v4.write_text("1\n")
    machine.v6.write_text("1\n")
    assert forwarding.forwarding_claim(machine.layout("aaaa")) is True
    forwarding.forwarding_release(machine.layout("aaaa"))
    assert (machine.v4.read_text(), machine.v6.read_text()) == ("1\n", "1\n")


def test_what_was_found_is_kept_when_putting_it_back_fails(machine: Machine):
    layout = machine.layout("aaaa")
    forwarding.forwarding_claim(layout)

    def fails() -> None:
        raise SetupError("The guests' rules cannot be removed")

    with pytest.raises(SetupError):
        forwarding.forwarding_release(layout, when_last=fails)
    machine.v4.write_text("1\n")
    forwarding.forwarding_release(layout)
    assert machine.v4.read_text().strip() == "0"


def test_where_nft_was_never_installed_there_is_nothing_to_remove(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guest_network.shutil, "which", lambda program: None)
    network_remove(machine.layout("aaaa"))
    assert machine.ran == []
