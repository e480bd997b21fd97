"""What tests of Health make, and what they read of it."""

from datetime import timedelta

from django.utils import timezone

from panel.core.models import PanelBackup, PanelProcess
from tests import factories


def process(kind: str, *, ago_s: float = 0, **fields) -> PanelProcess:
    at = timezone.now() - timedelta(seconds=ago_s)
    values = {"machine": "m1", "pid": factories.number(), "version": "1", "started_at": at - timedelta(hours=1)}
    return PanelProcess.objects.create(id=factories.customer_make().pk, kind=kind, seen_at=at, **{**values, **fields})


def backup(*, ago: timedelta = timedelta(0)) -> None:
    PanelBackup.objects.create(
        created_at=timezone.now() - ago, file="f", size_bytes=1, sha256="", with_secrets=True, seconds=1
    )


def items(api) -> list[dict]:
    answer = api.get("/health")
    assert answer.status_code == 200, answer.content
    found: list[dict] = answer.json()["items"]
    return found


def only(api) -> dict:
    """Return the one thing that is wrong."""
    found = items(api)
    assert len(found) == 1, found
    return found[0]
