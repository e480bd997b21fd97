"""API routes of billing: plans, subscriptions, usage, capacity, and guests as things that are ordered."""

from django.urls import path

from billing.api import adoption, capacity, guests, plans, subscriptions, usage

_ACTION = "subscriptions/<uuid:subscription_id>/actions"

urlpatterns = [
    path("guests", guests.GuestOrderView.as_view(), name="guests"),
    path("guests/<uuid:guest_id>", guests.GuestEndView.as_view(), name="guest"),
    path("guests/<uuid:guest_id>/actions/resize", guests.GuestResizeView.as_view(), name="guest-resize"),
    path(
        "differences/<uuid:difference_id>/actions/adopt",
        adoption.DifferenceAdoptView.as_view(),
        name="difference-adopt",
    ),
    path("plans", plans.PlanListView.as_view(), name="plans"),
    path("plans/<str:plan>", plans.PlanView.as_view(), name="plan"),
    path("plans/<str:plan>/actions/archive", plans.PlanArchiveView.as_view(), name="plan-archive"),
    path("subscriptions", subscriptions.SubscriptionListView.as_view(), name="subscriptions"),
    path("subscriptions/<uuid:subscription_id>", subscriptions.SubscriptionView.as_view(), name="subscription"),
    path(f"{_ACTION}/suspend", subscriptions.SubscriptionSuspendView.as_view(), name="subscription-suspend"),
    path(f"{_ACTION}/unsuspend", subscriptions.SubscriptionUnsuspendView.as_view(), name="subscription-unsuspend"),
    path(f"{_ACTION}/change-plan", subscriptions.SubscriptionChangePlanView.as_view(), name="subscription-change-plan"),
    path(f"{_ACTION}/terminate", subscriptions.SubscriptionTerminateView.as_view(), name="subscription-terminate"),
    path("usage", usage.UsageView.as_view(), name="usage"),
    path("capacity", capacity.CapacityView.as_view(), name="capacity"),
]
