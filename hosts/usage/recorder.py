"""What the collector calls: takes readings in, writes the windows that have ended. Never fails for its caller."""

import logging
from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import connection

from hosts.drivers.types import DomainInfo, HostLoad
from hosts.usage import open_window, store
from hosts.usage.kinds import GUEST, HOST, Kind, guest_reading, host_reading
from hosts.usage.sampling import WINDOW_MS, Observation, windows_of

logger = logging.getLogger(__name__)
MOST_KEPT = 120  # readings that wait for a database which is away: half an hour


class Recorder:
    """The readings of one kind that one hypervisor gives. Not for several threads at once."""

    def __init__(self, *, kind: Kind, host_id: UUID, host_type: str) -> None:
        self._kind = kind
        self._stream = open_window.stream_name(kind=kind.name, host_id=host_id, host_type=host_type)
        self._observations: list[Observation] | None = None
        self._written_until_ms = 0
        self._shown_ms = 0  # the last reading when a host that went silent had its open window written

    @property
    def observations(self) -> list[Observation]:
        """What is not written yet; at first, what another collector left."""
        if self._observations is None:
            (self._observations,) = open_window.remembered([self._stream])
        return self._observations

    def record(self, *, at: datetime, readings: Mapping[UUID, Sequence[int]]) -> None:
        """Take a reading in. What cannot be written is tried again with the next one."""
        at_ms, last = _ms(at), self.observations[-1] if self.observations else None
        if last is not None and at_ms <= last.at_ms:  # a clock that was set back: begin anew
            self.observations.clear()
            self._written_until_ms, last = 0, None
        numbers = array("q", [number for reading in readings.values() for number in reading])
        seen = Observation.of(
            at_ms=at_ms, subjects=tuple(readings), numbers=numbers, width=len(self._kind.reading), like=last
        )
        self.observations.append(seen)
        open_window.remember(self._stream, seen)
        self.write_ended(at=at)

    def write_ended(self, *, at: datetime) -> None:
        """Write every window that nothing can be added to any more; to be called also when nothing could be read."""
        if not self.observations:
            return
        try:
            self._write_ended(at_ms=_ms(at), last_ms=self.observations[-1].at_ms)
        finally:
            self._forget()  # also when nothing could be written, however long that lasts

    def _write_ended(self, *, at_ms: int, last_ms: int) -> None:
        first_ms = max(self._written_until_ms, _floor_ms(self.observations[0].at_ms))
        for start_ms in range(first_ms, _floor_ms(last_ms), WINDOW_MS):
            self._write(start_ms)
            self._written_until_ms = start_ms + WINDOW_MS
        if at_ms - last_ms > open_window.gap_after_s() * 1000 and self._shown_ms != last_ms:
            self._write(_floor_ms(last_ms))  # as far as it goes; should the host come back in time, the rest is added
            self._shown_ms = last_ms

    def _write(self, start_ms: int) -> None:
        gap_s = open_window.gap_after_s()
        store.windows_write(self._kind, windows_of(self._kind, self.observations, start_ms=start_ms, gap_after_s=gap_s))

    def _forget(self) -> None:
        """Keep the readings of the open window and the last one before it."""
        kept = self.observations[-MOST_KEPT:]
        while len(kept) > 1 and kept[1].at_ms <= self._written_until_ms:
            kept.pop(0)
        self._observations = kept


class HostUsage:
    """The usage of one hypervisor's guests and of its host, as one collector sees it.

    A failure to keep samples is logged and ends here: what else is observed must not suffer from it.
    """

    def __init__(self, *, host_id: UUID, host_type: str) -> None:
        self._host_id = host_id
        self._guests = Recorder(kind=GUEST, host_id=host_id, host_type=host_type)
        self._host = Recorder(kind=HOST, host_id=host_id, host_type=host_type)
        self._delay = _DelaySum()

    def domains_seen(self, *, at: datetime, domains: Sequence[DomainInfo]) -> None:
        """Take in a listing that began at ``at``."""
        running = {
            info.id: guest_reading(info.usage, vcpus=info.vcpus)
            for info in domains
            if info.ours and info.usage is not None
        }
        self._delay.add(at_ms=_ms(at), readings=running)
        self._guarded(partial(self._guests.record, at=at, readings=running))

    def load_seen(self, *, at: datetime, load: HostLoad) -> None:
        """Take in the host's own counters."""
        reading = host_reading(load, delay_ns=self._delay.delay_ns, delay_vcpu_ns=self._delay.vcpu_ns)
        self._guarded(partial(self._host.record, at=at, readings={self._host_id: reading}))

    def silent(self, *, at: datetime) -> None:
        """The hypervisor did not answer: what was read before is written all the same."""
        for recorder in (self._guests, self._host):
            self._guarded(partial(recorder.write_ended, at=at))

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            logger.exception("usage of host %s is not kept for now", self._host_id)
            connection.close()


class _DelaySum:
    """Adds up how long a host's vCPUs waited, over guests that come and go and start anew."""

    def __init__(self) -> None:
        self.delay_ns = self.vcpu_ns = 0
        self._at_ms = 0
        self._before: Mapping[UUID, Sequence[int]] = {}

    def add(self, *, at_ms: int, readings: Mapping[UUID, Sequence[int]]) -> None:
        cpu, delay, vcpus = (GUEST.reading.index(name) for name in ("cpu_time_ns", "cpu_delay_ns", "vcpus"))
        for guest_id, now in readings.items():
            was = self._before.get(guest_id)
            if was is not None and 0 <= was[delay] <= now[delay] and was[cpu] <= now[cpu]:
                self.delay_ns += now[delay] - was[delay]
                self.vcpu_ns += (at_ms - self._at_ms) * 1_000_000 * now[vcpus]
        self._at_ms, self._before = at_ms, readings


def _floor_ms(at_ms: int) -> int:
    return at_ms // WINDOW_MS * WINDOW_MS


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
