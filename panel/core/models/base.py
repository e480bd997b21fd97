"""Abstract bases of every table that people see."""

import uuid

from django.db import models
from django.db.models.functions import Now


class Record(models.Model):
    """A row with a UUID and a birthday by the database's clock."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


class VersionedRecord(Record):
    """A row whose ``version`` a trigger raises at every change but those of ``observed_at`` and the like.

    The version is the ETag of the API and what server-sent events carry. See migration ``core.0002``.
    """

    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    version = models.PositiveIntegerField(db_default=1, editable=False)

    class Meta:
        abstract = True
