"""Arithmetic of subnets: what a network's fields must be and which addresses it has. Asks no database."""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from hosts.models import Network
from panel.core.errors import InvalidInputError
from panel.core.ip import address_parse

V4_PREFIXES = range(16, 31)  # a row for each address: at most 65,533 of them
V6_PREFIXES = range(32, 121)
RANGE_LIMIT = 65_536
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnets:
    """A network's addressing, checked and in canonical spelling. Empty strings and None: family not used."""

    cidr_v4: str = ""
    gateway_v4: str | None = None
    cidr_v6: str = ""
    gateway_v6: str | None = None
    reserved: tuple[str, ...] = field(default=())

    def overlaps(self, other: "Subnets") -> bool:
        """True when any address belongs to both."""
        return any(
            mine and theirs and ipaddress.ip_network(mine).overlaps(ipaddress.ip_network(theirs))
            for mine, theirs in ((self.cidr_v4, other.cidr_v4), (self.cidr_v6, other.cidr_v6))
        )

    def v4_addresses(self) -> Iterator[tuple[int, str]]:
        """Yield (position, address) of every IPv4 address that may be handed out, lowest first."""
        if not self.cidr_v4:
            return
        subnet = ipaddress.IPv4Network(self.cidr_v4)
        never = {self.gateway_v4, *self.reserved}
        for order in range(1, subnet.num_addresses - 1):
            address = str(subnet[order])
            if address not in never:
                yield order, address

    def never_a_guests(self, address: str) -> str:
        """Return what an address in canonical spelling is here that no guest can have; "" when one can have it."""
        parsed = ipaddress.ip_address(address)
        cidr = self.cidr_v4 if parsed.version == 4 else self.cidr_v6
        subnet = ipaddress.ip_network(cidr) if cidr else None
        if subnet is None or parsed not in subnet:
            return "not an address of this network"
        if address in (self.gateway_v4, self.gateway_v6):
            return "the network's gateway"
        if parsed == subnet.network_address:
            return "the network's own address" if parsed.version == 4 else "the address of all routers in the network"
        if parsed.version == 4 and parsed == subnet.broadcast_address:
            return "the network's broadcast address"
        return ""

    def hands_out(self, address: str) -> bool:
        """True when an address in canonical spelling may be handed out."""
        return not self.never_a_guests(address) and address not in self.reserved


def subnets_of(network: Network) -> Subnets:
    """Return the addressing of a network, which was checked when it was saved."""
    return Subnets(
        cidr_v4=network.cidr_v4,
        gateway_v4=network.gateway_v4,
        cidr_v6=network.cidr_v6,
        gateway_v6=network.gateway_v6,
        reserved=tuple(network.reserved),
    )


def subnets_checked(
    *, cidr_v4: str, gateway_v4: str | None, cidr_v6: str, gateway_v6: str | None, reserved: Iterable[str]
) -> Subnets:
    """Return the checked addressing of a network.

    ``reserved`` takes addresses and, for IPv4, ranges ``first-last``; they come back as single addresses.

    Raises:
        InvalidInputError: naming every field that is wrong.
    """
    errors: dict[str, str] = {}
    v4 = _subnet(cidr_v4, ipaddress.IPv4Network, V4_PREFIXES, "cidr_v4", errors)
    v6 = _subnet(cidr_v6, ipaddress.IPv6Network, V6_PREFIXES, "cidr_v6", errors)
    if not cidr_v4 and not cidr_v6:
        errors["cidr_v4"] = "Give an IPv4 or an IPv6 subnet, or both."
    inside_v4 = _gateway(gateway_v4, v4, "gateway_v4", errors)
    inside_v6 = _gateway(gateway_v6, v6, "gateway_v6", errors)
    held: list[str] = []
    for index, entry in enumerate(reserved):
        try:
            held += _reserved(entry, v4, v6)
        except ValueError as error:
            errors[f"reserved.{index}"] = str(error)
    if errors:
        raise InvalidInputError(fields=errors)
    return Subnets(
        cidr_v4=str(v4 or ""),
        gateway_v4=inside_v4,
        cidr_v6=str(v6 or ""),
        gateway_v6=inside_v6,
        reserved=tuple(
            sorted(set(held), key=lambda a: (ipaddress.ip_address(a).version, int(ipaddress.ip_address(a))))
        ),
    )


def _subnet(text: str, family: type[Subnet], prefixes: range, name: str, errors: dict[str, str]) -> Subnet | None:
    if not text:
        return None
    try:
        subnet = family(text)
    except ValueError as error:
        said = "has bits set right of the prefix" if "host bits" in str(error) else "is not a subnet"
        example = "203.0.113.0/24" if family is ipaddress.IPv4Network else "fd00::/64"
        errors[name] = f"{text} {said}; a subnet looks like {example}."
        return None
    if subnet.prefixlen not in prefixes:
        errors[name] = f"The prefix length must be from {prefixes[0]} to {prefixes[-1]}."
        return None
    return subnet


def _gateway(text: str | None, subnet: Subnet | None, name: str, errors: dict[str, str]) -> str | None:
    if not text:
        if subnet is not None:
            errors[name] = "A subnet needs a gateway."
        return None
    try:
        address = address_parse(text)
    except ValueError:
        errors[name] = f"{text} is not an address."
        return None
    if subnet is None:
        if name.replace("gateway", "cidr") not in errors:
            errors[name] = "A gateway needs a subnet."
        return None
    if address.version != subnet.version or address not in subnet:
        errors[name] = f"The gateway must be inside {subnet}."
        return None
    if address == subnet.network_address or (subnet.version == 4 and address == subnet.broadcast_address):
        errors[name] = f"{address} is not a usable address of {subnet}."
        return None
    return str(address)


def _reserved(entry: str, v4: Subnet | None, v6: Subnet | None) -> list[str]:
    """Return the addresses of one entry. Raises ValueError with a sentence."""
    first, dash, last = (part.strip() for part in entry.partition("-"))
    try:
        ends = [address_parse(end) for end in ([first, last] if dash else [first])]
    except ValueError:
        raise ValueError(f"{entry} is not an address or a range of addresses.") from None
    for end in ends:
        if not any(subnet is not None and end in subnet for subnet in (v4, v6)):
            raise ValueError(f"{end} is not inside this network.")
    if not dash:
        return [str(ends[0])]
    if any(end.version != 4 for end in ends):
        raise ValueError("Ranges are for IPv4; give IPv6 addresses one by one.")
    numbers = [int(end) for end in ends]
    if any(low > high for low, high in pairwise(numbers)) or numbers[1] - numbers[0] >= RANGE_LIMIT:
        raise ValueError(f"{entry} is not a range from a lower to a higher address.")
    return [str(ipaddress.IPv4Address(number)) for number in range(numbers[0], numbers[1] + 1)]
