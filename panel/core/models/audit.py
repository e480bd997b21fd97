"""The audit trail."""

import uuid

from django.db import models
from django.db.models import F
from django.db.models.functions import Now


class AuditEntry(models.Model):
    """Who did what, when, from where. Rows are never changed or deleted (a trigger refuses); whole months
    are dropped when they are older than the retention. The table is partitioned by month of ``at``.
    """

    pk = models.CompositePrimaryKey("at", "id")
    id = models.UUIDField(default=uuid.uuid4)
    at = models.DateTimeField(db_default=Now())
    action = models.CharField(max_length=64)
    outcome = models.CharField(max_length=16, default="accepted")  # accepted, refused
    actor_kind = models.CharField(max_length=16)
    actor_user_id = models.UUIDField(null=True)
    actor_client_id = models.UUIDField(null=True)
    actor_token_id = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=254)
    acting_for_id = models.UUIDField(null=True)  # staff who acted as this customer
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    customer_id = models.UUIDField(null=True)
    object_type = models.CharField(max_length=32, blank=True)
    object_id = models.UUIDField(null=True)
    object_label = models.CharField(max_length=254, blank=True)
    changes = models.JSONField(default=dict)  # {field: [before, after]}, at most 8 KiB

    class Meta:
        indexes = [
            models.Index(F("at").desc(), F("id").desc(), name="core_audit_newest"),
            models.Index(F("customer_id"), F("at").desc(), F("id").desc(), name="core_audit_of_customer"),
            models.Index(F("object_id"), F("at").desc(), name="core_audit_of_object"),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_label}"
