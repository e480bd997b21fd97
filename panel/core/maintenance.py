"""What has to be done now and then: audit months, old answers, expired sessions and cache rows."""

from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from panel.core.models import IdempotencyRecord
from panel.core.people.token_use import token_uses_forget
from panel.core.processes import processes_forget


def daily_maintenance() -> None:
    """Make the coming months' audit partitions, drop those past retention, clear what has expired."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT innkeeper_audit_partitions(2, %s)", [settings.AUDIT_RETENTION_MONTHS])
        cursor.execute("DELETE FROM core_cache WHERE expires < now()")
    IdempotencyRecord.objects.filter(created_at__lt=now - timedelta(days=settings.IDEMPOTENCY_DAYS)).delete()
    Session.objects.filter(expire_date__lt=now).delete()
    token_uses_forget()
    processes_forget()
