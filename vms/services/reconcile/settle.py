"""Closing differences that were settled, without waiting for the next comparison. It reopens what was not."""

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from panel.core import events
from vms.models import Difference, DifferenceKind, DifferenceState
from vms.models.differences import LIVING

_REPAIRED = (
    DifferenceKind.GUEST_WITHOUT_DOMAIN,
    DifferenceKind.WRONG_SIZE,
    DifferenceKind.WRONG_NETWORK,
    DifferenceKind.FILTER_MISSING,
    DifferenceKind.CONFIGURATION_CHANGED,
    DifferenceKind.VOLUME_MISSING,
    DifferenceKind.ADDRESS_NOT_ALLOCATED,
)


def settled(difference: Difference, *, how: str) -> None:
    """Close one."""
    _close(Difference.objects.filter(pk=difference.pk), how)


def repaired(*, guest_id: UUID) -> None:
    """Close what a repair of a guest has mended."""
    _close(Difference.objects.filter(object_id=guest_id, kind__in=_REPAIRED), "repaired")


def taken_over(*, domain_id: UUID) -> None:
    """Close what was said of a domain that now is a guest."""
    kinds = (DifferenceKind.DOMAIN_WITHOUT_GUEST, DifferenceKind.ADDRESS_NOT_ALLOCATED)
    _close(Difference.objects.filter(object_id=domain_id, kind__in=kinds), "adopted")


@transaction.atomic
def _close(rows: QuerySet[Difference], how: str) -> None:
    living = rows.filter(state__in=LIVING).select_for_update(of=("self",)).order_by("pk")  # as a comparison locks them
    ids = list(living.values_list("pk", flat=True))
    if ids:
        closed = {"state": DifferenceState.CLOSED, "closed_at": Now(), "closed_how": how}
        Difference.objects.filter(pk__in=ids).update(**closed)
        events.publish("difference", "all")
