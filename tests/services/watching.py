"""One hypervisor looked at in the test itself, as the collector's threads do."""

from uuid import UUID

from django.utils import timezone

from hosts.models import HostConnection, StoragePool
from vms.collector.consoles import boots_to_read, consoles_write
from vms.collector.watcher import Answer, HostWatcher
from vms.collector.writing import write
from vms.services.suspension import suspensions_enforce


class Looking:
    """Asks and writes, one after the other."""

    def __init__(self, connection_id: UUID) -> None:
        self._connection_id = connection_id

    def ask(self) -> Answer:
        """Ask for everything; write nothing."""
        return self._watcher().look(timezone.now())

    def look(self) -> None:
        """One round."""
        answer = self.ask()
        write(answer)
        suspensions_enforce([answer.connection.host_id])
        self._read(late=True)

    def look_at(self, *domains: UUID) -> None:
        """What follows an event."""
        write(self._watcher().look_at(frozenset(domains), timezone.now()))

    def listen(self) -> None:
        """Read the consoles of guests that boot, and have read seeds scrubbed."""
        self._read(late=False)

    def _watcher(self) -> HostWatcher:
        row = HostConnection.objects.get(pk=self._connection_id)
        return HostWatcher(row, list(StoragePool.objects.filter(host_id=row.host_id)))

    def _read(self, *, late: bool) -> None:
        watcher = self._watcher()
        guests = boots_to_read([watcher.connection.host_id], late=late)
        consoles_write(guests, watcher.consoles([guest.pk for guest in guests]))
