"""One simulated host as it lives in the server: its state, its faults, and what happens to it."""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from hosts.drivers.simulated import guest
from hosts.drivers.simulated.faults import FaultScript
from hosts.drivers.simulated.state import DomainRecord, HostState
from hosts.drivers.simulated.telling import Telling
from hosts.drivers.types import PowerState


class Clock:
    """Latencies in seconds by call name, for one host or for all; the factor scales them and nothing else.

    Beside the driver's calls there are ``guest_boot`` (start to INNKEEPER-READY) and ``guest_shutdown``
    (asked to off).
    """

    def __init__(self) -> None:
        self.factor = 1.0
        self._latencies: dict[tuple[str | None, str], float] = {}

    def set(self, call: str, seconds: float, *, host: str | None) -> None:
        """Set one latency; ``host`` None means all that have none of their own."""
        self._latencies[host, call] = seconds

    def latency(self, call: str, host: str) -> float:
        """Return how long a call takes there, in real seconds."""
        if not self._latencies:
            return 0.0
        seconds = self._latencies.get((host, call), self._latencies.get((None, call), 0.0))
        return seconds * self.factor

    def forget(self, host: str) -> None:
        """Drop the latencies of one host."""
        self._latencies = {key: seconds for key, seconds in self._latencies.items() if key[0] != host}

    def clear(self) -> None:
        """Back to no latency and factor 1."""
        self.factor = 1.0
        self._latencies.clear()


class SimulatedHost:
    """A host's state together with what a restart of the server forgets."""

    def __init__(self, state: HostState, clock: Clock) -> None:
        self.state = state
        self.clock = clock
        self.faults = FaultScript()
        self._watchers: set[asyncio.Event] = set()
        self._tasks: dict[asyncio.Task[None], Callable[[], None]] = {}  # with what cuts its client off
        self._hanging: set[asyncio.Event] = set()
        self.telling = Telling(state.name, self.faults)

    def add_task(self, work: Coroutine[Any, Any, None], *, on_cut: Callable[[], None]) -> None:
        """Run a call that takes time; ``on_cut`` closes its client's connection."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = on_cut
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def cut_clients(self) -> None:
        """Close the connections of all callers that wait for this host; their calls go on."""
        for on_cut in list(self._tasks.values()):
            on_cut()
        self.telling.cut()

    def cut_all(self) -> None:
        """Close those connections and give the calls up: what was not done will not be."""
        self.cut_clients()
        for task in list(self._tasks):
            task.cancel()

    async def hang(self) -> None:
        """Wait until hangs are released."""
        released = asyncio.Event()
        self._hanging.add(released)
        try:
            await released.wait()
        finally:
            self._hanging.discard(released)

    def release_hangs(self) -> int:
        """Let all that hangs go on; return how many."""
        released = list(self._hanging)
        for event in released:
            event.set()
        return len(released)

    def latency(self, call: str) -> float:
        """Return how long ``call`` takes here, in seconds."""
        return self.clock.latency(call, self.state.name)

    def settle(self, record: DomainRecord) -> DomainRecord:
        """Let pass what time has brought: a guest that was asked to power off is off when its time came."""
        if record.active and record.off_at is not None and record.off_at <= time.time():
            self.turn_off(record, reason="shutdown")
        return record

    def turn_off(self, record: DomainRecord, *, reason: str, state: PowerState = PowerState.SHUTOFF) -> None:
        """End a domain's run."""
        guest.settle_console(record)
        self.count_busy()
        record.state = state
        record.reason = reason
        record.live_spec = None
        record.off_at = None
        record.leftovers.discard(f"mount {record.name}")
        self.changed(record)

    def count_busy(self) -> None:
        """Add the processor time since the last look: a hundredth of a core for the host, a tenth for a vCPU.

        Called before anything starts or stops, so that the counter never goes back.
        """
        now = time.time()
        vcpus = sum(
            record.live_spec.vcpus
            for record in self.state.domains.values()
            if record.live_spec is not None and record.state is PowerState.RUNNING
        )
        busy_cores = min(self.state.cpus, 0.01 + 0.1 * vcpus)
        self.state.busy_ns += int(max(0.0, now - self.state.busy_until) * busy_cores * 1e9)
        self.state.busy_until = now

    def changed(self, record: DomainRecord) -> None:
        """Wake whoever waits for a domain of this host, and tell who listens."""
        for event in self._watchers:
            event.set()
        domain = next((domain for domain, known in self.state.domains.items() if known is record), None)
        if domain is not None:
            self.telling.tell(domain, record.host_type)

    def power_off_later(self, record: DomainRecord, *, seconds: float) -> None:
        """Have a guest go down by itself after a while."""
        record.off_at = time.time() + seconds
        if seconds:
            asyncio.get_running_loop().call_later(seconds + 0.001, self.settle, record)
        self.settle(record)

    async def wait_until(self, condition: Callable[[], bool], *, record: DomainRecord, timeout_s: float) -> bool:
        """Wait until ``condition`` holds; False when it does not after ``timeout_s``.

        Sleeps until the record's own ``off_at`` or until something changed on the host.
        """
        deadline = time.time() + timeout_s
        event = asyncio.Event()
        self._watchers.add(event)
        try:
            while not condition():
                until = deadline if record.off_at is None else min(deadline, record.off_at)
                event.clear()
                try:
                    await asyncio.wait_for(event.wait(), max(0.0, until - time.time()))
                except TimeoutError:
                    self.settle(record)
                    if time.time() >= deadline:
                        return condition()
            return True
        finally:
            self._watchers.discard(event)

    def reboot(self) -> None:
        """Start the host anew: another boot id, every domain off, no rules and mounts left."""
        self.state.boot_id = str(uuid.uuid4())
        for record in self.state.domains.values():
            if record.active:
                self.turn_off(record, reason="crashed")
            record.leftovers = {entry for entry in record.leftovers if not entry.startswith(("rules ", "mount "))}

    def remains(self, domain: UUID) -> list[str]:
        """Name what the host still has of a domain id."""
        record = self.state.domains.get(domain)
        of_domain = [] if record is None else [f"domain {record.name}", *sorted(record.leftovers)]
        return of_domain + self.state.stray.get(domain, [])
