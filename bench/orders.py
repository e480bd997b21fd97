"""Orders: how long a POST takes, how long until its first hypervisor call, and 1,000 at once on 100 simulated hosts.

Run as root: ``python -m bench orders``. A whole panel runs (web, two workers of four processes, two collectors),
and the hosts are a simulated server's on the same machine: all of them share its processors.
"""

import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hosts.drivers.simulated import SimulatedAdmin, SimulatedServer
from lab.client import Api
from lab.panel import LabPanel, panel_lent

HOSTS, BURST, SENDERS = 100, 1000, 8
IDLE, STEADY, STEADY_EVERY_S = 30, 200, 0.1
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqnbm2oPMlSbYTXyuMwJRLRmWKkHdGeSNKqKDfRBnE4 bench"
# A hundred hosts on one network, looked at by the panel's own jobs, and an image whose files are a megabyte each.
_FLEET = """
import hashlib, pathlib
from django.conf import settings
from django.db import transaction
from hosts.models import Image, ImageFile
from hosts.services.enrolment import host_enrol
from hosts.services.networks import network_create
from panel.core.actors import SYSTEM
with transaction.atomic():
    hosts = [host_enrol(actor=SYSTEM, name=name, uris={{"kvm": uri}}, pool_path="/pool", driver="simulated")[0]
             for name, uri in {uris!r}.items()]
    network_create(actor=SYSTEM, name="net", kind="routed", bridge="br0", cidr_v4="10.64.0.0/21",
                   gateway_v4="10.64.0.1", cidr_v6="fd00:64::/64", gateway_v6="fd00:64::1", dns_servers=[], hosts=hosts)
    image = Image.objects.create(slug="micro", name="Micro", os="micro", state="ready", boot="kernel",
                                 host_types=["kvm"], min_disk_gib=1)
    for role, form in (("kvm_disk", "qcow2"), ("kernel", "raw"), ("initrd", "raw")):
        path = pathlib.Path(settings.CACHE_DIR) / role
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(role.encode().ljust(1 << 20, b"0"))
        ImageFile.objects.create(image=image, role=role, path=role, format=form, size_bytes=1 << 20,
                                 sha256=hashlib.sha256(role.encode()).hexdigest(), capacity_bytes=1 << 20)
"""
_CREATED = """
import json
from panel.core.models import Job
rows = Job.objects.filter(action="guest.create").values_list("resources__resource_id", "created_at")
print(json.dumps({str(guest): at.timestamp() for guest, at in rows}))
"""
_TRUTH = """
import json
from collections import Counter
from django.db.models import F
from hosts.models import Host, IPAddress, StoragePool
from panel.core.models import Job
from vms.models import Guest
taken = Counter(IPAddress.objects.filter(owner_id__isnull=False).values_list("address", flat=True))
print(json.dumps({
    "jobs": dict(Counter(Job.objects.filter(action="guest.create").values_list("status", flat=True))),
    "guests": Guest.objects.filter(lifecycle="active", power_state="running").count(),
    "addresses": len(taken), "double addresses": sum(times > 1 for times in taken.values()),
    "hosts over capacity": Host.objects.filter(used_vcpus__gt=F("limit_vcpus")).count()
        + Host.objects.filter(used_memory_mib__gt=F("limit_memory_mib")).count()
        + StoragePool.objects.filter(used_gib__gt=F("limit_gib")).count(),
}))
"""


def main() -> None:
    """Print one line a measurement."""
    settings = {"API_RATE_LIMIT_PER_MINUTE": "100000"}
    with panel_lent(settings=settings) as panel, SimulatedServer(panel.run_dir / "s.sock") as server:
        hosts = fleet_make(panel, server, hosts=HOSTS)
        for _ in range(HOSTS):  # the first on each host copies the image
            order(panel.api(), 0)
        settled(panel)
        measure("one after the other", panel, hosts, idle)
        measure("10 a second", panel, hosts, steady)
        before, began = truth(panel)["guests"], time.monotonic()
        took = burst(panel.api())
        posted = time.monotonic() - began
        settled(panel)
        seconds = time.monotonic() - began
        print(f"{BURST} at once, {SENDERS} senders: all answered after {posted:.0f} s ({figures(took)})")
        print(f"{BURST} at once: all done after {seconds:.0f} s, {BURST / seconds:.1f} a second")
        found = truth(panel)
        print(f"{found['guests'] - before} of them run; in all: {found}")


def fleet_make(panel: LabPanel, server: SimulatedServer, *, hosts: int) -> SimulatedAdmin:
    """Start a whole panel with so many simulated hosts, a network and an image."""
    admin = server.admin()
    for number in range(hosts):
        admin.make_host(f"host-{number:03d}")
    panel.prepare()
    panel.manage("shell", "-c", _FLEET.format(uris={name: server.uri(name) for name in admin.list_hosts()}))
    panel.start()
    panel.wait_hosts()
    return admin


def order(api: Api, number: int) -> float:
    """Order a small server; return the seconds until the answer."""
    size = {"vcpus": 1, "memory_mib": 128, "disk_gib": 1}
    body = {"name": f"web-{number}", "host_type": "kvm", "image": "micro", "ssh_keys": [KEY], **size}
    began = time.monotonic()
    answer = api.call("POST", "/guests", body)
    if answer.status != 202:
        raise SystemExit(f"an order was answered {answer.status}: {answer.body}")
    return time.monotonic() - began


def idle(api: Api) -> list[float]:
    """Order when nothing is at work."""
    took = []
    for number in range(IDLE):
        took.append(order(api, number))
        time.sleep(1)
    return took


def steady(api: Api) -> list[float]:
    """Order at a steady pace, whether or not the former ones are answered."""
    with ThreadPoolExecutor(SENDERS) as pool:
        begun = []
        for number in range(STEADY):
            begun.append(pool.submit(order, api, number))
            time.sleep(STEADY_EVERY_S)
        return [one.result() for one in begun]


def burst(api: Api) -> list[float]:
    """Order as fast as the panel answers."""
    with ThreadPoolExecutor(SENDERS) as pool:
        return list(pool.map(lambda number: order(api, number), range(BURST)))


def measure(title: str, panel: LabPanel, hosts: SimulatedAdmin, send: Callable[[Api], list[float]]) -> None:
    """Say how long answers and first hypervisor calls take."""
    known, last = created(panel), hosts.calls()[-1].sequence
    took = send(panel.api())
    settled(panel)
    accepted = {guest: at for guest, at in created(panel).items() if guest not in known}
    first: dict[str, float] = {}
    for record in hosts.calls(call="volume_create", after=last):
        guest = record.arguments["volume"]["name"].removeprefix("guest-").removesuffix("-root.qcow2")
        first.setdefault(guest, record.started_at)
    waits = [first[guest] - at for guest, at in accepted.items()]
    print(f"{title}: POST to 202 {figures(took)}; accepted to first hypervisor call {figures(waits)}")


def figures(seconds: list[float]) -> str:
    """Say what half, nearly all and all took."""
    ordered = sorted(seconds)
    p95 = ordered[int(len(ordered) * 0.95) - 1]
    return f"median {statistics.median(ordered):.3f} s, 95 % {p95:.3f} s, most {ordered[-1]:.3f} s"


def settled(panel: LabPanel) -> None:
    """Wait until no job is active."""
    api = panel.api()
    while api.get("/jobs", active="true", limit=1)["results"]:
        time.sleep(0.2)


def created(panel: LabPanel) -> dict[str, float]:
    """Return when each guest's order was accepted, in seconds since 1970."""
    found: dict[str, float] = json.loads(panel.manage("shell", "--no-imports", "-c", _CREATED))
    return found


def truth(panel: LabPanel) -> dict[str, Any]:
    """Return how the orders ended, and what must not be."""
    found: dict[str, Any] = json.loads(panel.manage("shell", "--no-imports", "-c", _TRUTH))
    return found


if __name__ == "__main__":
    main()
