"""What the panel can see to be wrong without asking anybody: addresses of nobody, and totals that are not the sum.

Each total is compared with its sum in one statement, so that no change in between looks like a difference.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from hosts.models import Host, IPAddress, StoragePool
from panel.core.models import Customer, JobResource
from vms.models import DifferenceKind, Guest, Severity
from vms.services.reconcile.snapshots import Finding, NotAll
from vms.states import GuestAction, Lifecycle

YOUNG = timedelta(minutes=1)
MOST = 1000  # of one kind at a time: always the same ones, by their ids
_SIZES = ("vcpus", "memory_mib", "disk_gib")
_TOTALS: Mapping[str, tuple[str, ...]] = {
    "host": _SIZES[:2],
    "pool": _SIZES[2:],
    "customer": ("guests", *_SIZES, "addresses"),
}


def panel_checks() -> Iterator[Finding | NotAll]:
    """All of them."""
    yield from _addresses()
    for kind in _TOTALS:
        rows, more = first(_wrong(kind))
        yield from (_total(kind, row) for row in rows)
        if more:
            yield NotAll(kind=DifferenceKind.TOTAL_WRONG)


def first(rows: QuerySet[Any]) -> tuple[list[Any], bool]:
    """Return the first ``MOST`` rows by their ids, and whether there are more."""
    found = list(rows.order_by("pk")[: MOST + 1])
    return found[:MOST], len(found) > MOST


def total_now(kind: str, owner_id: UUID) -> Finding | None:
    """Return what is wrong with the totals of one host, pool or customer now; None when nothing is."""
    row = _wrong(kind).filter(pk=owner_id).first()
    return None if row is None else _total(kind, row)


def _addresses() -> Iterator[Finding | NotAll]:
    living = Guest.objects.filter(pk=OuterRef("owner_id")).exclude(lifecycle=Lifecycle.DELETED)
    owned = IPAddress.objects.filter(~Exists(living), owner_id__isnull=False).select_related("network")
    rows, more = first(owned.exclude(taken_at__gt=timezone.now() - YOUNG))
    if more:
        yield NotAll(kind=DifferenceKind.ADDRESS_WITHOUT_GUEST)
    for row in rows:
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


def _wrong(kind: str) -> QuerySet[Any]:
    """Return the owners of totals that are not the sum, each with its sums."""
    differs = Q()
    for name in _TOTALS[kind]:
        differs |= ~Q(**{used_name(kind, name): F(f"sum_{name}")})
    return {"host": _hosts, "pool": _pools, "customer": _customers}[kind]().filter(differs)


def _total(kind: str, row: Any) -> Finding:
    expected = {used_name(kind, name): getattr(row, f"sum_{name}") for name in _TOTALS[kind]}
    return Finding(
        kind=DifferenceKind.TOTAL_WRONG,
        severity=Severity.MEDIUM,
        key=f"total:{kind}:{row.pk}",
        label=row.name,
        object_type=kind,
        object_id=row.pk,
        customer_id=row.pk if kind == "customer" else None,
        host_id=row.pk if kind == "host" else getattr(row, "host_id", None),
        expected=expected,
        found={name: getattr(row, name) for name in expected},
    )
