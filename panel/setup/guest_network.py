"""The guests' network on this machine: a bridge with private subnets, forwarding, masquerading."""

import ipaddress
import json
import re
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from panel.setup.context import Context
from panel.setup.errors import SetupError
from panel.setup.forwarding import forwarding_claim, forwarding_release, ipv6_is_on
from panel.setup.installations import installations
from panel.setup.layout import Layout
from panel.setup.machine_lock import machine_lock
from panel.setup.processes import run
from panel.setup.steps import Records
from panel.setup.subnet import GuestSubnets, choose_v4, choose_v6, inside, parse_v4, usable_resolvers

GUARD_TABLE = "bridge innkeeper"
_RESOLVERS = ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf")
_PUBLIC_RESOLVERS = ("9.9.9.9", "1.1.1.1")  # for a machine that only has a resolver of its own


@dataclass(frozen=True)
class GuestNetwork:
    """What the panel is told of the network."""

    bridge: str
    subnets: GuestSubnets
    dns_servers: tuple[str, ...]

    @property
    def words(self) -> str:
        """A few words for the screen."""
        v6 = str(self.subnets.v6) if self.subnets.v6 else "no IPv6, since it is switched off on this machine"
        return f"{self.bridge}: {self.subnets.v4}, {v6}"


def network_ensure(context: Context) -> GuestNetwork:
    """Make the network, or bring what is left of it after a reboot back; the subnets stay once chosen.

    Raises:
        SetupError: something else uses the chosen subnet by now, or the kernel refuses.
    """
    layout = context.layout
    with machine_lock("network"):  # from the choice until others see the bridge's route
        network = GuestNetwork(layout.bridge, _subnets(context), _dns_servers())
        _ensure_bridge(layout, network.subnets)
    ipv6 = forwarding_claim(layout)
    web_port = None if context.listen.is_loopback else context.listen.port
    rules = ruleset(table=layout.table, bridge=layout.bridge, subnets=network.subnets, ipv6=ipv6, web_port=web_port)
    run(["nft", "-f", "-"], input=rules, failure="The rules of the guests' network cannot be set")
    return network


def network_remove(layout: Layout) -> None:
    """Take bridge and rules away and put forwarding back. What is not there is success."""
    _nft(_empty_table(layout.table), failure="The rules cannot be removed")
    if Path(f"/sys/class/net/{layout.bridge}").exists():
        run(["ip", "link", "delete", layout.bridge], failure="The bridge cannot be removed")
    forwarding_release(layout, when_last=_remove_guard)


def _remove_guard() -> None:
    """Remove the table of the hook scripts' anti-spoofing rules, which the guests of all checkouts share."""
    commands = f"table {GUARD_TABLE} {{ }}\ndelete table {GUARD_TABLE}\n"
    _nft(commands, failure="The guests' rules cannot be removed")


def _nft(commands: str, *, failure: str) -> None:
    """Remove rules. Where the program was never installed there are none."""
    if shutil.which("nft"):
        run(["nft", "-f", "-"], input=commands, failure=failure)


def ruleset(*, table: str, bridge: str, subnets: GuestSubnets, ipv6: bool, web_port: int | None) -> str:
    """Return the nftables commands that replace the table in one transaction.

    Guests reach the world through the machine's address and nobody outside reaches them unasked. They reach of the
    machine itself only ping, neighbour discovery and the panel where it listens for others; and never the
    link-local addresses, where clouds keep their machines' credentials.
    """
    panel = f"    iifname {bridge} tcp dport {web_port} accept\n" if web_port else ""
    masquerade_v6 = f"    ip6 saddr {subnets.v6} oifname != {bridge} masquerade\n" if ipv6 and subnets.v6 else ""
    return (
        f"{_empty_table(table)}"
        f"table inet {table} {{\n"
        "  chain input {\n"
        "    type filter hook input priority filter; policy accept;\n"
        f"    iifname {bridge} ct state established,related accept\n"
        f"    iifname {bridge} meta l4proto {{ icmp, ipv6-icmp }} accept\n"
        f"{panel}"
        f"    iifname {bridge} drop\n"
        "  }\n"
        "  chain forward {\n"
        "    type filter hook forward priority filter; policy accept;\n"
        f"    iifname {bridge} ip daddr 169.254.0.0/16 drop\n"
        f"    iifname {bridge} accept\n"
        f"    oifname {bridge} ct state established,related accept\n"
        f"    oifname {bridge} drop\n"
        "  }\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority srcnat; policy accept;\n"
        f"    ip saddr {subnets.v4} oifname != {bridge} masquerade\n"
        f"{masquerade_v6}"
        "  }\n"
        "}\n"
    )


def _empty_table(table: str) -> str:
    return f"table inet {table} {{ }}\ndelete table inet {table}\n"  # made first, so that deleting never fails


def _subnets(context: Context) -> GuestSubnets:
    records, layout = context.records, context.layout
    chosen_v6 = records.get("subnet_v6")
    if chosen_v6 is None:
        chosen_v6 = str(choose_v6(f"{_machine_id()}:{layout.id}"))
        records.set("subnet_v6", chosen_v6)
    return GuestSubnets(_subnet_v4(context), ipaddress.IPv6Network(chosen_v6) if ipv6_is_on() else None)


def _subnet_v4(context: Context) -> ipaddress.IPv4Network:
    """Return the guests' subnet: the one chosen once, if nothing else uses it, or a new choice."""
    routes = _routes(apart_from=context.layout.bridge)
    chosen, asked = context.records.get("subnet_v4"), context.environment.get("GUEST_NETWORK")
    if chosen is not None:
        network = ipaddress.IPv4Network(chosen)
        taken = inside(network, routes)
        if taken:
            raise SetupError(
                f"The servers' subnet {network} is now used by {routes[taken[0]]} as well ({taken[0]}): "
                "take that away (another clone's: make down there), then run make up again."
            )
        return network
    taken_by_others = [*routes, *_reserved(context.layout)]
    network = parse_v4(asked, taken_by_others) if asked else choose_v4(taken_by_others)
    context.records.set("subnet_v4", str(network))
    return network


def _routes(*, apart_from: str) -> dict[str, str]:
    """Return the machine's IPv4 routes and the device of each, without those to one device."""
    listed = run(["ip", "-j", "-4", "route", "show", "table", "all"], failure="Routes cannot be read")
    return {
        route["dst"]: route.get("dev", "another route")
        for route in json.loads(listed or "[]")
        if route.get("type", "unicast") == "unicast" and route.get("dev") != apart_from
    }


def _reserved(layout: Layout) -> list[str]:
    """Return the subnets of the machine's other checkouts, which may be down now."""
    others = (found for found in installations() if found.id != layout.id)
    subnets = (Records.load(Path(found.state) / layout.records.name).get("subnet_v4") for found in others)
    return [subnet for subnet in subnets if subnet]


def _machine_id() -> str:
    path = Path("/etc/machine-id")
    return path.read_text().strip() if path.exists() else socket.gethostname()


def _ensure_bridge(layout: Layout, subnets: GuestSubnets) -> None:
    bridge = layout.bridge
    if not Path(f"/sys/class/net/{bridge}").exists():
        # A fixed address: otherwise the bridge takes that of its first guest and changes it with the guests.
        address = "02:" + ":".join(re.findall("..", f"{int(subnets.v4.network_address):08x}{layout.id[:2]}"))
        run(["ip", "link", "add", bridge, "address", address, "type", "bridge"], failure="The bridge cannot be made")
    if subnets.v6:
        Path(f"/proc/sys/net/ipv6/conf/{bridge}/accept_ra").write_text("0\n")
    for address in subnets.machine_addresses:
        run(["ip", "address", "replace", address, "dev", bridge, "nodad"], failure="The bridge takes no address")
    run(["ip", "link", "set", bridge, "up"], failure="The bridge cannot be switched on")


def _dns_servers() -> tuple[str, ...]:
    for path in map(Path, _RESOLVERS):
        found = usable_resolvers(path.read_text()) if path.exists() else []
        if found:
            return tuple(found[:3])
    return _PUBLIC_RESOLVERS
