"""Billing against the panel: contracts without a server, and servers without a contract."""

import pytest
from django.utils import timezone

from billing.models import Subscription
from panel.core.errors import InvalidInputError
from tests import factories, stock
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.services.reconcile import actions, panel_checks
from vms.services.reconcile.compare import panel_compare

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_subscription_without_guest_is_listed_and_ended(customer):
    subscription = Subscription.objects.create(customer=customer, plan=stock.plan_make(), external_id="shop-1")
    panel_compare()
    row = Difference.objects.get(kind="subscription-without-guest")
    assert (row.label, row.severity, row.customer_id) == ("shop-1", "high", customer.pk)
    staff = factories.actor_make(factories.staff_make())
    actions.difference_release(actor=staff, difference=row, confirm="shop-1")
    subscription.refresh_from_db()
    assert subscription.status == "terminated"
    panel_compare()
    assert Difference.objects.exclude(state="closed").count() == 0


def test_a_guest_of_an_ended_subscription_is_listed_and_deleted_only_when_its_name_is_typed(guest, customer):
    Subscription.objects.create(
        customer=customer, plan=stock.plan_make(), guest=guest, status="terminated", terminated_at=timezone.now()
    )
    panel_compare()
    row = Difference.objects.get(kind="guest-of-ended-subscription")
    staff = factories.actor_make(factories.staff_make())
    with pytest.raises(InvalidInputError):
        actions.difference_release(actor=staff, difference=row)
    assert Guest.objects.get().deletion_requested_at is None
    actions.difference_release(actor=staff, difference=row, confirm=guest.name)
    assert [job.action for job in jobs_run()] == ["guest.delete"]
    panel_compare()
    assert Difference.objects.exclude(state="closed").count() == 0


def test_what_a_cut_list_of_subscriptions_lacks_stays_open(customer, monkeypatch):
    plan = stock.plan_make()
    for _ in range(3):
        Subscription.objects.create(customer=customer, plan=plan)
    panel_compare()
    monkeypatch.setattr(panel_checks, "MOST", 1)
    panel_compare()
    assert Difference.objects.filter(kind="subscription-without-guest", state="open").count() == 3


def test_what_fits_is_no_difference(guest, customer):
    Subscription.objects.create(customer=customer, plan=stock.plan_make(), guest=guest)
    panel_compare()
    assert Difference.objects.count() == 0
