"""Switching the kernel's forwarding on, and back to what it was when the last Innkeeper of the machine goes.

Several checkouts may be up on one machine. What was found before the first of them is kept in one file for all,
with the boot it belongs to: after a reboot the kernel starts from its own settings again.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from panel.setup.layout import Layout
from panel.setup.machine_lock import machine_lock
from panel.setup.processes import run

_RECORD = Path("/run/innkeeper-forwarding.json")
_IPV4 = Path("/proc/sys/net/ipv4/ip_forward")
_IPV6 = Path("/proc/sys/net/ipv6/conf/all/forwarding")
_IPV6_OFF = "disable_ipv6"  # beside it


def ipv6_is_on() -> bool:
    """False when the kernel has no IPv6, or new interfaces get none."""
    for scope in ("all", "default"):
        switch = _IPV6.parents[1] / scope / _IPV6_OFF
        if not switch.exists() or switch.read_text().strip() != "0":
            return False
    return True


def forwarding_claim(layout: Layout) -> bool:
    """Switch forwarding on for a checkout. Returns whether IPv6 is forwarded too."""
    with _record() as record:
        before: dict[str, str] = record.setdefault("before", {})
        users = record.setdefault("users", [])
        if layout.id not in users:
            users.append(layout.id)
        _switch_on(_IPV4, before)
        if not ipv6_is_on():
            return False
        if _forward_ipv6():
            _switch_on(_IPV6, before)
        return _IPV6.read_text().strip() == "1"


def forwarding_release(layout: Layout, *, when_last: Callable[[], None] = lambda: None) -> None:
    """Give a checkout's claim up; the last one to do so puts back what was found.

    ``when_last`` is then called too, while nobody else can make a claim.
    """
    with _record() as record:
        users = [user for user in record.get("users", []) if user != layout.id]
        if not users:
            for path, value in record.get("before", {}).items():
                Path(path).write_text(f"{value}\n")
            when_last()
            record.clear()
        record["users"] = users


def _switch_on(path: Path, before: dict[str, str]) -> None:
    if path.read_text().strip() != "1":
        before.setdefault(str(path), path.read_text().strip())
        path.write_text("1\n")


def _forward_ipv6() -> bool:
    """True when the machine has an IPv6 way out that it keeps as a router.

    A machine that learned its default route from a router's advertisement stops listening to it once it forwards
    (Linux, ip-sysctl: accept_ra), and would lose its own IPv6. There the guests' IPv6 stays local.
    """
    routes = json.loads(run(["ip", "-j", "-6", "route", "show", "default"], failure="Routes cannot be read") or "[]")
    return bool(routes) and all(route.get("protocol") != "ra" for route in routes)


@contextmanager
def _record() -> Iterator[dict[str, Any]]:
    """Give what is recorded, and keep what it is afterwards, also when an exception ends it half-way."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with machine_lock("forwarding"):
        try:
            record = json.loads(_RECORD.read_text())
        except (OSError, ValueError):
            record = {}
        if record.get("boot") != boot:
            record = {}
        try:
            yield record
        finally:
            if record.get("users"):
                _write({**record, "boot": boot})
            else:
                _RECORD.unlink(missing_ok=True)


def _write(record: dict[str, Any]) -> None:
    partial = _RECORD.with_suffix(".partial")
    partial.write_text(json.dumps(record))
    partial.replace(_RECORD)
