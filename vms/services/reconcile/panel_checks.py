"""What the panel can see to be wrong without asking anybody: addresses of nobody, and totals that are not the sum.

Each total is compared with its sum in one statement, so that no change in between looks like a difference.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from hosts.models import Host, IPAddress, StoragePool
from panel.core.models import Customer, JobResource
from vms.models import DifferenceKind, Guest, Severity
from vms.services.reconcile.snapshots import Finding
from vms.states import GuestAction, Lifecycle

YOUNG = timedelta(minutes=1)
_SIZES = ("vcpus", "memory_mib", "disk_gib")


def panel_checks() -> Iterator[Finding]:
    """All of them."""
    yield from _addresses()
    for rows, kind, totals in ((_hosts(), "host", _SIZES[:2]), (_pools(), "pool", _SIZES[2:])):
        yield from _totals(rows, kind, totals)
    yield from _totals(_customers(), "customer", ("guests", *_SIZES, "addresses"))


def _addresses() -> Iterator[Finding]:
    living = Guest.objects.filter(pk=OuterRef("owner_id")).exclude(lifecycle=Lifecycle.DELETED)
    rows = IPAddress.objects.filter(~Exists(living), owner_id__isnull=False)
    for row in rows.exclude(taken_at__gt=timezone.now() - YOUNG).select_related("network")[:1000]:
        yield Finding(
            kind=DifferenceKind.ADDRESS_WITHOUT_GUEST,
            severity=Severity.MEDIUM,
            key=f"address:{row.pk}",
            label=row.address,
            object_type="address",
            object_id=row.pk,
            expected={"owner": None},
            found={"owner": row.owner_id, "network": row.network.name},
        )


def _sum(of: str, field: str) -> Coalesce:
    guests = Guest.objects.filter(**{of: OuterRef("pk")}).exclude(lifecycle=Lifecycle.DELETED)
    amount = Count("pk") if field == "guests" else Sum(field)
    return Coalesce(Subquery(guests.order_by().values(of).annotate(amount=amount).values("amount")), 0)


def _still(of: str) -> Q:
    """Those with no resize under way: a smaller size is given back only when it has been applied."""
    held = JobResource.objects.filter(type="guest", slot__isnull=False, job__action=GuestAction.RESIZE)
    resizing = Guest.objects.filter(**{of: OuterRef("pk")}, pk__in=held.values("resource_id"))
    return Q(~Exists(resizing))


def _hosts() -> QuerySet[Any]:
    return Host.objects.filter(_still("host")).annotate(**{f"sum_{n}": _sum("host", n) for n in _SIZES[:2]})


def _pools() -> QuerySet[Any]:
    rows = StoragePool.objects.filter(_still("pool")).select_related("host")
    return rows.annotate(sum_disk_gib=_sum("pool", "disk_gib"))


def _customers() -> QuerySet[Any]:
    sums = {f"sum_{name}": _sum("customer", name) for name in ("guests", *_SIZES)}
    owned = IPAddress.objects.filter(
        family=4, owner_id__in=Guest.objects.filter(customer=OuterRef(OuterRef("pk"))).exclude(
            lifecycle=Lifecycle.DELETED
        ).values("pk")
    )  # fmt: skip
    counted = owned.order_by().values("family").annotate(amount=Count("pk")).values("amount")
    return Customer.objects.filter(_still("customer")).annotate(**sums, sum_addresses=Coalesce(Subquery(counted), 0))


def used_name(kind: str, total: str) -> str:
    """Return the field that counts a total."""
    return "used_gib" if kind == "pool" else f"used_{total}"


def _totals(rows: QuerySet[Any], kind: str, totals: tuple[str, ...]) -> Iterator[Finding]:
    differs = Q()
    for name in totals:
        differs |= ~Q(**{used_name(kind, name): F(f"sum_{name}")})
    for row in rows.filter(differs)[:1000]:
        expected = {used_name(kind, name): getattr(row, f"sum_{name}") for name in totals}
        found = {name: getattr(row, name) for name in expected}
        host_id = row.pk if kind == "host" else getattr(row, "host_id", None)
        yield Finding(
            kind=DifferenceKind.TOTAL_WRONG,
            severity=Severity.MEDIUM,
            key=f"total:{kind}:{row.pk}",
            label=row.name,
            object_type=kind,
            object_id=row.pk,
            customer_id=row.pk if kind == "customer" else None,
            host_id=host_id,
            expected=expected,
            found=found,
        )
