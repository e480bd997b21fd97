"""The memory of every process of a panel over half an hour of ordinary work.

Run as root: ``python -m bench soak [MINUTES]``. A whole panel runs on ten simulated hosts; servers are ordered,
restarted and deleted all the time, and pages listen. Resident memory is printed every minute, and compared from the
fifth minute to the last.
"""

import random
import sys
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from bench.orders import fleet_make, order, settled
from hosts.drivers.simulated import SimulatedServer
from lab.client import Api
from lab.panel import LabPanel, panel_lent

HOSTS, SERVERS, LISTENERS = 10, 40, 10
WARM_UP_S, SAMPLE_EVERY_S, PAUSE_S = 300, 15, 0.5
SAID_EVERY, COMPARED = 4, 8  # samples


def main() -> None:
    """Print what each process holds every minute; in the end a line each: after the warm-up, and at last."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    settings = {"API_RATE_LIMIT_PER_MINUTE": "100000"}
    with panel_lent(settings=settings) as panel, SimulatedServer(panel.run_dir / "s.sock") as server:
        fleet_make(panel, server, hosts=HOSTS)
        over = threading.Event()
        threads = [threading.Thread(target=listen, args=(panel.api(), over)) for _ in range(LISTENERS)]
        threads.append(threading.Thread(target=work, args=(panel.api(), over)))
        for thread in threads:
            thread.start()
        held = watch(panel, until=time.monotonic() + 60 * minutes)
        over.set()
        for thread in threads:
            thread.join()
        settled(panel)
    for name, samples in sorted(held.items()):
        warm = samples[WARM_UP_S // SAMPLE_EVERY_S :]
        first, last = median(warm[:COMPARED]), median(warm[-COMPARED:])
        print(f"{name}: {first / 1024:.0f} MiB, {last / 1024:.0f} MiB in the end: {100 * (last / first - 1):+.1f} %")


def work(api: Api, over: threading.Event) -> None:
    """Order, restart, look and delete, until it is over."""
    rnd = random.Random(1)
    count = 0
    while not over.wait(PAUSE_S):
        guests = api.get("/guests", limit=100)["results"]
        api.get("/jobs", limit=50)
        count += 1
        if len(guests) < SERVERS:
            order(api, count)
            continue
        guest = rnd.choice(guests)
        if rnd.random() < 0.3:
            api.call("DELETE", f"/guests/{guest['id']}")
        else:
            api.call("POST", f"/guests/{guest['id']}/actions/{rnd.choice(['reboot', 'stop', 'start'])}")
            api.get(f"/guests/{guest['id']}/metrics", range="1h")


def listen(api: Api, over: threading.Event) -> None:
    """Wait for changes as an open page does, and look again."""
    while not over.wait(PAUSE_S):
        with suppress(OSError):
            jobs = api.get("/jobs", active="true", limit=1)["results"]
            if jobs:
                api.get(f"/jobs/{jobs[0]['id']}", wait=5)


def watch(panel: LabPanel, *, until: float) -> dict[str, list[int]]:
    """Return the resident KiB of each process with its children, sampled from the beginning."""
    held: defaultdict[str, list[int]] = defaultdict(list)
    began = time.monotonic()
    count = 0
    while time.monotonic() < until:
        children = by_parent()
        for name, process in panel.processes.items():
            held[name].append(sum(resident_kib(pid) for pid in family(process.pid, children)))
        if count % SAID_EVERY == 0:
            now = ", ".join(f"{name} {samples[-1] / 1024:.1f}" for name, samples in held.items())
            print(f"{(time.monotonic() - began) / 60:.0f} min, MiB: {now}", flush=True)
        count += 1
        time.sleep(max(0.0, began + count * SAMPLE_EVERY_S - time.monotonic()))
    return held


def family(pid: int, children: dict[int, list[int]]) -> list[int]:
    """Return a process and all that it has started."""
    return [pid, *(one for child in children.get(pid, []) for one in family(child, children))]


def by_parent() -> dict[int, list[int]]:
    """Return the children of every process."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            found[int(fields[1])].append(int(status.parent.name))
    return found


def resident_kib(pid: int) -> int:
    """Return what a process holds alone, and its part of what it shares; 0 when it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def median(values: list[int]) -> float:
    """Return the middle one."""
    return float(sorted(values)[len(values) // 2])


if __name__ == "__main__":
    main()
