"""From an event on a host to an open page, and what a host that hangs costs the others, on a whole panel.

Run: ``python -m bench live``. Ten simulated hosts; web, two workers with three processes each, two collectors.
"""

import statistics
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import django

django.setup()

from hosts.drivers.simulated import FaultKind, SimulatedDriver  # noqa: E402
from hosts.drivers.simulated.driver import make_uri  # noqa: E402
from hosts.drivers.types import HostType  # noqa: E402
from lab.page import Page  # noqa: E402
from tests.faults.conftest import Installation, installed  # noqa: E402

HOSTS = [f"host-{number}" for number in range(10)]
GUESTS, EVENTS, LISTS = 40, 100, 100
USUAL = {"COLLECT_EVERY_S": "15", "JOB_SWEEP_S": "5", "JOB_RESEND_S": "10"}


def main() -> None:
    """Print one line a measurement."""
    with installed(hosts=HOSTS, settings=USUAL) as panel:
        accepted = [panel.order(f"bench-{number}") for number in range(GUESTS)]
        for one in accepted:
            panel.admin.done(one)
        names = {host["id"]: host["name"] for host in panel.admin.get("/hosts", limit=50)["results"]}
        guests = {guest["id"]: names[guest["host"]] for guest in panel.admin.get("/guests", limit=100)["results"]}
        time.sleep(16)  # every host was looked at, and is listened to
        say(f"event on the host to the page: {events_heard(panel, guests)}")
        say(f"all hosts well: {speed(panel, guests)}")
        hung = HOSTS[0]
        panel.host.set_fault(hung, "*", FaultKind.HANG, times=0)
        for guest_id, host in guests.items():
            if host == hung:
                panel.admin.post(f"/guests/{guest_id}/actions/reset")
        others = {guest_id: host for guest_id, host in guests.items() if host != hung}
        say(f"one of ten hung, just now: {speed(panel, others)}")
        time.sleep(30)
        say(f"one of ten hung, half a minute later: {speed(panel, others)}")
        states = {panel.admin.get(f"/guests/{one}")["power_state"] for one, host in guests.items() if host == hung}
        say(f"its guests are shown as: {', '.join(sorted(states))}")
        panel.host.clear_faults(hung)
        panel.host.release_hangs(hung)


def events_heard(panel: Installation, guests: dict[str, str]) -> str:
    """Let guests go off and on behind the panel's back; return the figures."""
    page = Page(panel.admin)
    drivers = {name: SimulatedDriver(HostType.KVM, make_uri(name, panel.panel.run_dir / "s.sock")) for name in HOSTS}
    seconds = []
    chosen = list(guests.items())
    for number in range(EVENTS):
        guest_id, host = chosen[number // 2 % len(chosen)]
        domain, since = UUID(guest_id), time.monotonic()
        if number % 2 == 0:
            panel.host.guest_poweroff(host, domain)
        else:
            drivers[host].domain_start(domain)
        seconds.append(page.heard(guest_id, since=since, within_s=30))
        wanted = "shutoff" if number % 2 == 0 else "running"
        assert panel.admin.get(f"/guests/{guest_id}")["power_state"] == wanted
    return figures(seconds)


def speed(panel: Installation, guests: dict[str, str]) -> str:
    """Measure lists, and jobs on these guests' hosts, four at a time."""
    lists = [timed(lambda: panel.admin.get("/guests", limit=100)) for _ in range(LISTS)]
    jobs: list[float] = []

    def restart(ids: list[str]) -> None:
        for guest_id in ids:
            jobs.append(timed(lambda: panel.admin.done(panel.admin.post(f"/guests/{guest_id}/actions/reset"))))  # noqa: B023

    ids = list(guests)
    threads = [threading.Thread(target=restart, args=(ids[number::4],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return f"lists {figures(lists)}; jobs {figures(jobs)}"


def say(line: str) -> None:
    """Print at once, also into a file."""
    print(line, flush=True)


def timed(call: Callable[[], Any]) -> float:
    """Return the seconds that a call took."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def figures(seconds: list[float]) -> str:
    """Return median and 95th percentile as text."""
    p95 = sorted(seconds)[int(len(seconds) * 0.95) - 1]
    return f"median {statistics.median(seconds):.2f} s, p95 {p95:.2f} s"


if __name__ == "__main__":
    main()
