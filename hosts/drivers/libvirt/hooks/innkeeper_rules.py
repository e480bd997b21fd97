"""Anti-spoofing: what a guest may send, as nftables rules on the name of its interface.

One table of family ``bridge`` for all guests of a network namespace; a map leads from the interface's name to the
guest's own chain, so a packet costs the same with one guest and with a thousand. Each change is one transaction,
and rules may name an interface that does not exist yet: they are in force before its first packet.

What removes a guest's rules is written down while they are put in force. The script ``qemu`` hands it to nft when the
guest has ended, without Python: libvirt tells nobody that a guest is off before its hooks have come back.
"""

import os
import re
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from innkeeper_guest import HookError, Nic
from innkeeper_process import run

TABLE = "bridge innkeeper"
REMOVALS_DIRECTORY = "/run/innkeeper-rules"  # as the script "qemu" has it

_BASE = f"""\
add table {TABLE}
add map {TABLE} guests {{ type ifname : verdict ; }}
add chain {TABLE} guard {{ type filter hook prerouting priority -300 ; policy accept ; }}
flush chain {TABLE} guard
add rule {TABLE} guard iifname vmap @guests
"""

# The name of a guest's chain says whose it is: g_<digits of the domain's name>_<interface>.
_CHAIN = re.compile(r"chain (g_([a-z0-9_]+)_([a-z0-9]+)) \{")

_JUMP = re.compile(r'"([a-z0-9]+)" : jump (g_[a-z0-9_]+)')
_BODY = re.compile(r"chain (g_[a-z0-9_]+) \{\n(.*?)\n\t\}", re.DOTALL)
_SENDERS = re.compile(r"ip6? saddr (\{ [^}]* \}|[0-9a-f.:]+) accept")


def protect(name: str, nics: tuple[Nic, ...]) -> None:
    """Put a guest's rules in force, in the place of what these nics had. Raises: HookError; nothing changed then."""
    chains = "".join(_removal(_chain_name(name, nic)) + _chain(_chain_name(name, nic), nic) for nic in nics)
    run("nft", "-f", "-", text=_BASE + chains)
    _note_removal(name, _BASE + "".join(_removal(_chain_name(name, nic)) for nic in nics))


def unprotect(name: str, nics: tuple[Nic, ...]) -> None:
    """Remove the rules of a guest's nics, if any."""
    _forget_removal(name)
    if nics:
        run("nft", "-f", "-", text=_BASE + "".join(_removal(_chain_name(name, nic)) for nic in nics))


def remove_all(name: str) -> None:
    """Remove every rule of a guest's, whichever nics it has or had."""
    _forget_removal(name)
    chains = chains_of(name)
    if chains:
        run("nft", "-f", "-", text=_BASE + "".join(map(_removal, chains)))


def chains_of(name: str) -> list[str]:
    """Return the names of a guest's chains."""
    try:
        listing = run("nft", "list", "table", *TABLE.split())
    except HookError as error:
        if "No such file" in str(error):
            return []
        raise
    return [found[1] for found in _CHAIN.finditer(listing) if found[2] == _owner(name)]


def unguarded(nics: tuple[tuple[str, Nic], ...]) -> list[str]:
    """Return the interfaces, of nics with their guests' names, whose rules are not in force or for other addresses."""
    if not nics:
        return []
    try:
        listing = run("nft", "list", "table", *TABLE.split())
    except HookError as error:
        if "No such file" in str(error):
            return [nic.device for _, nic in nics]
        raise
    jumps = set(_JUMP.findall(listing))
    chains = {one[1]: one[2] for one in _BODY.finditer(listing)}
    return [nic.device for name, nic in nics if not _is_guarded(nic, _chain_name(name, nic), jumps, chains)]


def _is_guarded(nic: Nic, chain: str, jumps: set[tuple[str, str]], chains: dict[str, str]) -> bool:
    body = chains.get(chain, "")
    found = {ip_address(one) for group in _SENDERS.findall(body) for one in group.strip("{ }").split(", ")}
    return (
        (nic.device, chain) in jumps
        and found == {*nic.addresses, link_local(nic.mac)}
        and f"ether saddr != {nic.mac} drop" in body
        and body.rstrip().endswith("drop")
    )


def try_out() -> None:
    """Prove that the kernel takes such rules; changes nothing. Raises: HookError."""
    nic = Nic(device="innkeeper0", mac="02:00:00:00:00:01", addresses=(IPv4Address("192.0.2.1"),))
    text = _BASE + _chain(_chain_name("innkeeper-try", nic), nic)
    run("nft", "-f", "-", text=text.replace(TABLE, f"{TABLE}_try") + f"delete table {TABLE}_try\n")


def link_local(mac: str) -> IPv6Address:
    """Return the address a guest gives itself (RFC 4291, appendix A)."""
    digits = bytes.fromhex(mac.replace(":", ""))
    interface = bytes([digits[0] ^ 2]) + digits[1:3] + b"\xff\xfe" + digits[3:]
    return IPv6Address(b"\xfe\x80" + bytes(6) + interface)


def allowed(nic: Nic) -> list[str]:
    """Return the rules of a guest's chain: what may pass, last of all a drop."""
    v4 = [str(one) for one in nic.addresses if isinstance(one, IPv4Address)]
    v6 = [one for one in nic.addresses if isinstance(one, IPv6Address)] + [link_local(nic.mac)]
    return [
        f"ether saddr != {nic.mac} drop",
        # Said first: what is in a tagged frame would match the rules below.
        "ether type { 8021q, 8021ad } drop",
        *(_ipv4_rules(nic.mac, ", ".join(v4)) if v4 else []),
        *_ipv6_rules(v6),
        # Everything else: other addresses, other protocols.
        "drop",
    ]


def _ipv4_rules(mac: str, own: str) -> list[str]:
    return [
        f"arp saddr ether {mac} arp saddr ip {{ {own} }} accept",
        # Asks whether its own address is free (RFC 5227).
        f"arp operation request arp saddr ether {mac} arp saddr ip 0.0.0.0 arp daddr ip {{ {own} }} accept",
        "ether type ip udp sport 67 drop",  # is no DHCP server
        f"ip saddr {{ {own} }} accept",
    ]


def _ipv6_rules(addresses: list[IPv6Address]) -> list[str]:
    own = f"{{ {', '.join(map(str, addresses))} }}"
    # Of whom a neighbour advertisement or solicitation is stands in its body, at byte 8 (RFC 4861, 4.3 and 4.4).
    advertisement = "icmpv6 type nd-neighbor-advert"
    # Who asks from no address whether one is free can take it from its owner: that one gives it up (RFC 4862, 5.4.3).
    detection = "ip6 saddr :: icmpv6 type nd-neighbor-solicit"
    return [
        "icmpv6 type { nd-router-advert, nd-redirect } drop",  # is no router
        *(f"ip6 saddr {own} {advertisement} @th,64,128 {int(one):#x} accept" for one in addresses),
        f"{advertisement} drop",
        "ether type ip6 udp sport 547 drop",  # is no DHCPv6 server
        f"ip6 saddr {own} accept",
        # Before an address is its own it looks for others that have it, and joins its group (RFC 4862, 5.4.2).
        *(f"{detection} @th,64,128 {int(one):#x} accept" for one in addresses),
        "ip6 saddr :: icmpv6 type { mld-listener-report, mld2-listener-report } accept",
    ]


def _removal_file(name: str) -> str:
    return f"{REMOVALS_DIRECTORY}/{name}.nft"


def _note_removal(name: str, text: str) -> None:
    """Write it beside its place first: what is half written would leave rules behind."""
    os.makedirs(REMOVALS_DIRECTORY, mode=0o700, exist_ok=True)
    new = f"{_removal_file(name)}.new"
    with open(new, "w", encoding="ascii") as file:
        file.write(text)
    os.rename(new, _removal_file(name))


def _forget_removal(name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(_removal_file(name))


def _chain_name(name: str, nic: Nic) -> str:
    return f"g_{_owner(name)}_{nic.device}"


def _chain(chain: str, nic: Nic) -> str:
    rules = "".join(f"add rule {TABLE} {chain} {rule}\n" for rule in allowed(nic))
    return f'add chain {TABLE} {chain}\n{rules}add element {TABLE} guests {{ "{nic.device}" : jump {chain} }}\n'


def _removal(chain: str) -> str:
    device = chain.rpartition("_")[2]
    # Added first, because deleting what is not there fails.
    add = f'add chain {TABLE} {chain}\nadd element {TABLE} guests {{ "{device}" : jump {chain} }}\n'
    delete = f'delete element {TABLE} guests {{ "{device}" }}\n'
    return f"{add}{delete}flush chain {TABLE} {chain}\ndelete chain {TABLE} {chain}\n"


def _owner(name: str) -> str:
    return name.removeprefix("innkeeper-").replace("-", "_")
