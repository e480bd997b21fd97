"""One hypervisor of a host: what the collector asks of it. Uses no database."""

import logging
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast
from uuid import UUID

from hosts import registry
from hosts.calls import Measured
from hosts.drivers.base import EventHandler, HypervisorDriver
from hosts.drivers.types import Capability, DomainInfo, HostLoad, PoolInfo
from hosts.models import HostConnection, StoragePool
from panel.core.errors import CapabilityError, DomainNotFoundError, DriverError, HostTimeoutError, HostUnreachableError
from vms.collector.deadlines import Deadlines, OnLost

logger = logging.getLogger(__name__)
T = TypeVar("T")
CALL_DEADLINE_S = 7.5
EACH_DOMAIN_S = 0.02  # more for each, where the driver has to ask one by one
_deadlines = Deadlines()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a hypervisor said. ``domains`` None: it did not answer, and ``error`` says why.

    ``about``: the domains it was asked about, None for all. ``asked_at`` is when the asking began. ``hung``: it kept a
    call until its deadline. ``boot_id`` "" : not known.
    """

    connection: HostConnection
    asked_at: datetime
    about: frozenset[UUID] | None = None
    domains: Sequence[DomainInfo] | None = None
    error: str = ""
    hung: bool = False
    boot_id: str = ""
    load: HostLoad | None = None
    pools: Sequence[tuple[StoragePool, PoolInfo]] = ()


class HostWatcher:
    """Asks one hypervisor. Raises nothing for what a host may do; every call ends by its deadline."""

    def __init__(self, connection: HostConnection, pools: Sequence[StoragePool] = ()) -> None:
        self.connection, self.pools = connection, pools
        self._domains = 250  # for the time that a listing may take where they are asked one by one
        self.on_lost: OnLost = lambda thread: None
        self.on_event: EventHandler = lambda domain: None
        self._boot_id = ""

    def look(self, asked_at: datetime) -> Answer:
        """Ask for everything: all domains with their usage, the host's load, the pools' fill."""
        # The boot id first: should the host start anew in between, its guests are not taken for off under the new one.
        self._boot_id = self._ask(lambda driver: driver.boot_id()) or ""
        try:
            domains = self._call(self._listen_and_list, extra_s=self._listing_s())
        except DriverError as error:
            if isinstance(error, HostTimeoutError):
                self._domains = min(2 * self._domains, 2000)
            return self._silence(error, asked_at)
        self._domains = max(self._domains, len(domains))
        load = self._ask(lambda driver: driver.load())
        fills = [(pool, self._ask(operator.methodcaller("pool_info", pool.name))) for pool in self.pools]
        return Answer(
            connection=self.connection,
            asked_at=asked_at,
            domains=domains,
            boot_id=self._boot_id,
            load=load,
            pools=[(pool, info) for pool, info in fills if info is not None],
        )

    def look_at(self, domains: frozenset[UUID], asked_at: datetime) -> Answer:
        """Ask for single domains, because something was said to have happened to them."""
        found, told = [], set()
        for domain in domains:
            try:
                found.append(self._call(operator.methodcaller("domain_info", domain)))
            except (HostUnreachableError, HostTimeoutError) as error:
                return self._silence(error, asked_at, about=domains)
            except DomainNotFoundError:
                pass  # as one that a listing lacks
            except DriverError as error:
                logger.info("host connection %s, domain %s: %s", self.connection.pk, domain, error)
                continue  # the next listing will tell
            told.add(domain)
        return Answer(
            connection=self.connection,
            asked_at=asked_at,
            about=frozenset(told),
            domains=found,
            boot_id=self._boot_id,
        )

    def unanswered(self, asked_at: datetime) -> Answer:
        """Return the answer that there is none, for when a call did not even end when its connection was cut."""
        return self._silence(HostTimeoutError(), asked_at)

    def _silence(self, error: DriverError, asked_at: datetime, *, about: frozenset[UUID] | None = None) -> Answer:
        hung = isinstance(error, HostTimeoutError)
        return Answer(connection=self.connection, asked_at=asked_at, about=about, error=str(error), hung=hung)

    def _listen_and_list(self, driver: HypervisorDriver) -> list[DomainInfo]:
        """First listen: what changes while the listing is made is told then."""
        try:
            driver.listen(self._heard)
        except CapabilityError as error:
            logger.info("host connection %s: %s", self.connection.pk, error)
        return driver.domain_list()

    def _heard(self, domain: UUID | None) -> None:
        if domain is None:
            self._boot_id = ""  # its host may have started anew
        self.on_event(domain)

    def _listing_s(self) -> float:
        """Return how much longer than another call a listing may take."""
        return 0.0 if self.connection.can(Capability.BULK_STATS) else self._domains * EACH_DOMAIN_S

    def consoles(self, domains: Sequence[UUID]) -> dict[UUID, bytes]:
        """Return the tails of guests' consoles; without those that cannot be read now."""
        found = {}
        for domain in domains:
            output = self._ask(operator.methodcaller("console_output", domain))
            if output is not None:
                found[domain] = output
        return found

    def _ask(self, call: Callable[[HypervisorDriver], T]) -> T | None:
        """Return an answer that the rest does not hang on; None when there is none."""
        try:
            return self._call(call)
        except DriverError as error:
            logger.info("host connection %s: %s", self.connection.pk, error)
            return None

    def _call(self, call: Callable[[HypervisorDriver], T], *, extra_s: float = 0.0) -> T:
        driver = registry.driver_of(self.connection)  # each time: after a call that hung it is another one
        with _deadlines.within(CALL_DEADLINE_S + extra_s, driver, on_lost=self.on_lost) as was_cut:
            return call(cast(HypervisorDriver, Measured(driver, was_cut=was_cut)))
