"""When one hypervisor is asked: regularly, soon after something happened, and seldom while it is silent."""

import random
from uuid import UUID

from django.conf import settings

from hosts.usage.recorder import HostUsage
from vms.collector.watcher import Answer, HostWatcher

# How long a silent hypervisor is left alone. One that refuses costs nothing and is asked again soon; one that hangs
# costs a thread its deadline each time. The last value is for every further time, so that its return is seen.
AGAIN_AFTER_REFUSAL_S = (5.0, 10.0, 20.0, 40.0)
AGAIN_AFTER_HANG_S = (40.0, 60.0)
MANY = 8  # domains that something happened to at once: then all are listed


class Watch:
    """The state of one watched hypervisor. Only the collector's main thread uses it."""

    def __init__(self, watcher: HostWatcher, *, now: float) -> None:
        self.watcher = watcher
        self.next_look = now
        self.looking = False
        self.looking_at = False
        self.reading = False  # its guests' consoles
        self.keeping = False  # samples of its usage
        self.usage = HostUsage(host_id=watcher.connection.host_id, host_type=watcher.connection.host_type)
        self._is_new = True
        self._silent_times = 0
        self.hung = False  # the last time: the next call may take its whole deadline too
        self._told: set[UUID] = set()

    @property
    def is_silent(self) -> bool:
        """True when it did not answer the last time."""
        return self._silent_times > 0

    def tell(self, domain: UUID | None, *, now: float) -> None:
        """Something happened to a domain, or (None) events may have been lost. A silent one is asked in its time."""
        if self.is_silent:
            return
        if domain is None or len(self._told) >= MANY:
            self._told.clear()
            self.next_look = min(self.next_look, now)
        else:
            self._told.add(domain)

    def look_due(self, *, now: float) -> bool:
        """True when all is to be asked; then ``looking`` until ``looked``."""
        if self.looking or now < self.next_look:
            return False
        self.looking = True
        every_s = settings.COLLECT_EVERY_S
        if self._is_new:  # hosts that came together are not asked together for ever
            self._is_new, self.next_look = False, now - random.uniform(0, every_s / 2)  # noqa: S311 - no secret
        self.next_look = max(self.next_look + every_s, now + every_s / 2)
        return True

    def told(self) -> frozenset[UUID]:
        """Return the domains to ask for, once; ``looking_at`` until ``looked``. Beside a listing, which may be slow."""
        if self.looking_at or not self._told:
            return frozenset()
        told, self._told = frozenset(self._told), set()
        self.looking_at = True
        return told

    def looked(self, answer: Answer, *, now: float) -> None:
        """An answer came."""
        if answer.about is None:
            self.looking = False
        else:
            self.looking_at = False
        if answer.domains is None:
            self._fell_silent(hung=answer.hung, now=now)
        elif answer.about is None:
            self._silent_times, self.hung = 0, False

    def failed(self, *, now: float) -> None:
        """No answer will come of anything that is under way: the thread is lost, or met an error of our own."""
        self.looking = self.looking_at = self.reading = False
        self._fell_silent(hung=True, now=now)

    def _fell_silent(self, *, hung: bool, now: float) -> None:
        waits = AGAIN_AFTER_HANG_S if hung else AGAIN_AFTER_REFUSAL_S
        self.hung = hung
        self.next_look = now + waits[min(self._silent_times, len(waits) - 1)]
        self._silent_times += 1
        self._told.clear()
