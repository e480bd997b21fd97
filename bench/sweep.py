"""A full sweep of a large simulated fleet by one collector, and what a host that hangs costs the others.

Run: ``python -m bench sweep``. The collector is the real process; the hosts are a simulated server's on the same
machine, so both share its processors.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import django

django.setup()

from django.db.models import Count, Max, Min, QuerySet  # noqa: E402
from django.db.models.functions import Now  # noqa: E402
from django.utils import timezone  # noqa: E402

from hosts.drivers.simulated import FaultKind, SimulatedServer  # noqa: E402
from hosts.drivers.simulated.state import Directory, DomainRecord, HostState  # noqa: E402
from hosts.drivers.simulated.wire import encode  # noqa: E402
from hosts.drivers.types import DomainSpec, HostType, PowerState, domain_name  # noqa: E402
from hosts.models import Host, HostConnection, LiveCollector  # noqa: E402
from vms.models import Guest  # noqa: E402

STEADY_S = 40


def main() -> None:
    """Print one line a measurement."""
    folder = Path(os.environ["BENCH_DIR"])
    state = folder / "hosts.json"
    state.write_text(json.dumps([encode(host) for host in made_hosts()]))
    with SimulatedServer(folder / "s.sock", state=state) as server:
        for row in HostConnection.objects.select_related("host"):
            row.uri, row.enabled = server.uri(row.host.name), True
            row.capabilities = [{"capability": "bulk_stats", "available": True, "reason": ""}]
            row.save()
        Host.objects.update(last_seen_at=None)
        Guest.objects.update(booted_at=Now(), seed_scrubbed_at=Now(), observed_at=None)
        collector = subprocess.Popen([sys.executable, "manage.py", "collector"], stderr=subprocess.DEVNULL)
        try:
            measure(server, collector.pid)
        finally:
            collector.terminate()
            collector.wait(timeout=20)


def made_hosts() -> list[HostState]:
    """Make simulated hosts of what the database says."""
    hosts = {
        host.pk: HostState(name=host.name, pools={"demo": "/demo"}, directories={"/demo": Directory()})
        for host in Host.objects.all()
    }
    began = time.time()
    for guest in Guest.objects.all().iterator():
        host_type = HostType(guest.host_type)
        spec = DomainSpec(
            id=guest.pk, name=guest.name, host_type=host_type, vcpus=guest.vcpus, memory_mib=guest.memory_mib,
            disks=(), nics=(),
        )  # fmt: skip
        runs = guest.power_state != PowerState.SHUTOFF
        hosts[guest.host_id].domains[guest.pk] = DomainRecord(  # type: ignore[index]
            name=domain_name(guest.pk), host_type=host_type, spec=spec, live_spec=spec if runs else None,
            state=PowerState.RUNNING if runs else PowerState.SHUTOFF, started_at=began, on_since=began,
        )  # fmt: skip
    return list(hosts.values())


def measure(server: SimulatedServer, pid: int) -> None:
    """Measure the first sweep, steady watching, and watching with a host that hangs."""
    wait_for(lambda: LiveCollector.objects.exists())
    began = time.monotonic()
    wait_for(lambda: not Guest.objects.filter(observed_at=None).exists())
    counted = Guest.objects.aggregate(Count("pk"))["pk__count"]
    print(f"first sweep of {Host.objects.count()} hosts, {counted} guests: {time.monotonic() - began:.1f} s")
    before = cpu_s(pid)
    lags = watched(HostConnection.objects.all())
    share = (cpu_s(pid) - before) / STEADY_S
    print(f"steady: {figures(lags)}; {share * 100:.0f} % of a processor, {threads(pid)} threads")
    hung = Host.objects.order_by("name").first()
    assert hung is not None
    server.admin().set_fault(hung.name, "*", FaultKind.HANG, times=0)
    lags = watched(HostConnection.objects.exclude(host=hung))
    print(f"with one host hung, the others: {figures(lags)}; {threads(pid)} threads")
    silent = Guest.objects.filter(host=hung).aggregate(Count("pk"), Min("power_state"), Max("power_state"))
    print(f"its {silent['pk__count']} guests: {silent['power_state__min']} to {silent['power_state__max']}")


def watched(rows: QuerySet[HostConnection]) -> list[float]:
    """Return how long ago each hypervisor was asked, sampled for a while."""
    lags: list[float] = []
    until = time.monotonic() + STEADY_S
    while time.monotonic() < until:
        time.sleep(1)
        now = timezone.now()
        seen = rows.all().values_list("last_seen_at", flat=True)
        lags += [(now - at).total_seconds() for at in seen if at is not None]
    return lags


def figures(lags: list[float]) -> str:
    """Say how long ago hypervisors were asked: half, nearly all, all."""
    p99 = sorted(lags)[int(len(lags) * 0.99) - 1]
    return f"last asked {statistics.median(lags):.1f} s ago (median), {p99:.1f} s (99 %), {max(lags):.1f} s (most)"


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait, and look ten times a second."""
    while not condition():
        time.sleep(0.1)


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


if __name__ == "__main__":
    main()
