"""What the panel knows of itself: the processes that run it, and the backups that were made of it."""

from django.db import models
from django.db.models.functions import Now

from panel.core.models.base import Record


class PanelProcess(models.Model):
    """One running process of the panel. It renews ``seen_at``; when it ends well its row goes with it."""

    id = models.UUIDField(primary_key=True)  # of this run of it
    kind = models.CharField(max_length=16)  # web, worker, builder, collector
    machine = models.CharField(max_length=120)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=40)
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["kind", "seen_at"], name="core_process_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pid} on {self.machine}"


class PanelBackup(Record):
    """A backup of the panel that was made, ``created_at`` as the database had it then."""

    file = models.CharField(max_length=255)  # its name, without the folder
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    with_secrets = models.BooleanField()
    seconds = models.FloatField()

    class Meta:
        indexes = [models.Index(fields=["-created_at"], name="core_backup_newest")]

    def __str__(self) -> str:
        return self.file
