"""Answers kept for callers that repeat a POST."""

from django.db import models

from panel.core.models.accounts import ApiClient


class IdempotencyRecord(models.Model):
    """The first answer to a POST with an ``Idempotency-Key``. Holds no secret.

    Written in the transaction of what the POST did, so there is none while the first request is still being
    answered. Older than ``IDEMPOTENCY_DAYS`` it counts as not there.
    """

    client = models.ForeignKey(ApiClient, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    request_hash = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    location = models.CharField(max_length=500, blank=True)
    etag = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "key"], name="core_idempotency_key")]
        indexes = [models.Index(fields=["created_at"], name="core_idempotency_age")]

    def __str__(self) -> str:
        return self.key
