"""Billing against the panel: contracts without a server, and servers whose contract has ended."""

from collections.abc import Iterator

from django.db.models import Q

from billing.models import Subscription
from billing.services.subscriptions import guest_terminate, subscription_end, subscription_terminate
from billing.states import SubscriptionStatus
from panel.core.actors import Actor
from panel.core.models import Job
from vms.models import Difference, DifferenceKind, Severity
from vms.services.reconcile.actions import release_add
from vms.services.reconcile.compare import source_add
from vms.services.reconcile.panel_checks import first
from vms.services.reconcile.snapshots import Finding, NotAll
from vms.states import Lifecycle


def connect() -> None:
    """Add billing's checks and what can be done about what they find."""
    kinds = (DifferenceKind.SUBSCRIPTION_WITHOUT_GUEST, DifferenceKind.GUEST_OF_ENDED_SUBSCRIPTION)
    source_add("billing", kinds, billing_checks)
    release_add(kinds[0], "End the subscription", _subscription_end, confirmed=True)
    release_add(kinds[1], "Delete the server", _guest_delete, confirmed=True)


def billing_checks() -> Iterator[Finding | NotAll]:
    """Compare every subscription with its guest."""
    every = Subscription.objects.select_related("guest", "customer", "plan")
    gone = Q(guest__isnull=True) | Q(guest__lifecycle=Lifecycle.DELETED)
    rows, more = first(every.filter(gone, status=SubscriptionStatus.ACTIVE))
    if more:
        yield NotAll(kind=DifferenceKind.SUBSCRIPTION_WITHOUT_GUEST)
    for row in rows:
        yield Finding(
            kind=DifferenceKind.SUBSCRIPTION_WITHOUT_GUEST,
            severity=Severity.HIGH,  # somebody pays for nothing
            key=f"subscription:{row.pk}",
            label=row.external_id or str(row.pk),
            object_type="subscription",
            object_id=row.pk,
            customer_id=row.customer_id,
            expected={"plan": row.plan.slug, "guest": "one"},
            found={"guest": row.guest_id},
        )
    living = every.filter(status=SubscriptionStatus.TERMINATED, guest__isnull=False)
    living = living.exclude(guest__lifecycle=Lifecycle.DELETED).exclude(guest__deletion_requested_at__isnull=False)
    rows, more = first(living)
    if more:
        yield NotAll(kind=DifferenceKind.GUEST_OF_ENDED_SUBSCRIPTION)
    for row in rows:
        assert row.guest is not None  # noqa: S101 - filtered
        yield Finding(
            kind=DifferenceKind.GUEST_OF_ENDED_SUBSCRIPTION,
            severity=Severity.MEDIUM,
            key=f"ended:{row.pk}",
            label=row.guest.name,
            object_type="guest",
            object_id=row.guest_id,
            customer_id=row.customer_id,
            host_id=row.guest.host_id,
            expected={"subscription": row.pk, "terminated_at": row.terminated_at},
            found={"lifecycle": row.guest.lifecycle},
        )


def _subscription_end(actor: Actor, row: Difference) -> Job | None:
    subscription = Subscription.objects.get(pk=row.about_id)
    if subscription.guest_id is not None:
        return subscription_terminate(actor=actor, subscription=subscription).job
    subscription_end(actor=actor, subscription=subscription)
    return None


def _guest_delete(actor: Actor, row: Difference) -> Job | None:
    subscription = Subscription.objects.select_related("guest").get(guest_id=row.about_id)
    assert subscription.guest is not None  # noqa: S101 - by the filter
    return guest_terminate(actor=actor, guest=subscription.guest)
