"""Which collector watches which host."""

from django.db import models


class LiveCollector(models.Model):
    """A collector process that said lately that it lives. Who has not for ``COLLECT_LEASE_S`` watches nothing."""

    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=120)  # machine and process
    seen_at = models.DateTimeField()  # by the database's clock

    def __str__(self) -> str:
        return self.name


class HostWatch(models.Model):
    """A host that is to be watched, and by whom. No foreign keys: a row is a place to be taken, nothing more."""

    host_id = models.UUIDField(primary_key=True)
    collector_id = models.UUIDField(null=True)  # null, or of one that does not live: free

    class Meta:
        indexes = [models.Index(fields=["collector_id"], name="hosts_watch_of_collector")]

    def __str__(self) -> str:
        return f"{self.host_id} by {self.collector_id}"
