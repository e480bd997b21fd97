"""Reading addresses that somebody typed."""

import ipaddress


def address_parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address. Raises ValueError, also for one with a zone (``fe80::1%eth0``), which no table can keep."""
    if "%" in text:
        raise ValueError(f"{text} has a zone")
    return ipaddress.ip_address(text)
