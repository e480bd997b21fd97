"""Choosing the guests' private subnets so that they collide with nothing the machine can reach."""

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from panel.setup.errors import SetupError

_FIRST, _LAST = 90, 99


@dataclass(frozen=True)
class GuestSubnets:
    """The subnets of the guests' bridge; the first address of each is the machine's own. No IPv6 where it is off."""

    v4: IPv4Network
    v6: IPv6Network | None

    @property
    def gateway_v4(self) -> str:
        return str(self.v4[1])

    @property
    def gateway_v6(self) -> str:
        return str(self.v6[1]) if self.v6 else ""

    @property
    def machine_addresses(self) -> tuple[str, ...]:
        """The machine's own on the bridge, as ``ip address add`` takes them."""
        v6 = (f"{self.gateway_v6}/{self.v6.prefixlen}",) if self.v6 else ()
        return (f"{self.gateway_v4}/{self.v4.prefixlen}", *v6)


def candidates() -> Iterator[IPv4Network]:
    """Yield every /24 of 10.90.0.0 to 10.99.255.255."""
    for second in range(_FIRST, _LAST + 1):
        yield from IPv4Network(f"10.{second}.0.0/16").subnets(new_prefix=24)


def choose_v4(routes: Iterable[str]) -> IPv4Network:
    """Return the first candidate that overlaps no route; the default route does not count.

    Raises:
        SetupError: all are taken.
    """
    taken = [network for network in map(_network, routes) if network is not None and network.prefixlen]
    for candidate in candidates():
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise SetupError(
        f"10.{_FIRST}.0.0 to 10.{_LAST}.255.255 are all routed on this machine; "
        "choose a free /24 for the guests: make up GUEST_NETWORK=192.168.77.0/24"
    )


def parse_v4(text: str, routes: Iterable[str]) -> IPv4Network:
    """Read ``GUEST_NETWORK``. Raises: SetupError: it is no private subnet, or something else uses it."""
    try:
        network = IPv4Network(text)
    except ValueError:
        raise SetupError(f"GUEST_NETWORK={text} is no IPv4 subnet; write it like 192.168.77.0/24.") from None
    if not network.is_private or not 16 <= network.prefixlen <= 28:
        raise SetupError(f"GUEST_NETWORK={text} must be private and between /16 and /28.")
    taken = inside(network, routes)
    if taken:
        raise SetupError(f"GUEST_NETWORK={text} is in use on this machine ({taken[0]}); choose another.")
    return network


def inside(network: IPv4Network, routes: Iterable[str]) -> list[str]:
    """Return the routes into a subnet or a part of it; a wider one is no conflict, this one goes before it."""
    return [route for route in routes if (other := _network(route)) is not None and other.subnet_of(network)]


def choose_v6(seed: str) -> IPv6Network:
    """Return a unique local /64 (RFC 4193) that depends on ``seed`` only."""
    global_id = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:5], "big")
    return IPv6Network(((0xFD << 120) | (global_id << 80), 64))


def usable_resolvers(resolv_conf: str) -> list[str]:
    """Return the name servers of a resolv.conf that a guest can reach too.

    It reaches none on the loopback, and the guests' rules forbid link-local ones, where clouds keep credentials too.
    """
    found = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                address = ipaddress.ip_address(words[1].partition("%")[0])
            except ValueError:
                continue
            if isinstance(address, IPv4Address) and not (address.is_loopback or address.is_link_local):
                found.append(str(address))
    return found


def _network(text: str) -> IPv4Network | None:
    try:
        return IPv4Network(text, strict=False)
    except ValueError:  # "default", or a route of another family
        return None
