"""API routes of guests. ``/guests`` and ``/guests/{id}`` themselves are in ``billing.api.urls``."""

from django.urls import path

from vms.api import bulk, fleet, metrics, views

urlpatterns = [
    *(path(f"guests/actions/{action.verb}", view, name=f"guests-{action.verb}") for action, view in bulk.VIEWS.items()),
    path("fleet/week", fleet.FleetWeekView.as_view(), name="fleet-week"),
    path("guests/sparklines", metrics.GuestSparklinesView.as_view(), name="guest-sparklines"),
    path("guests/<uuid:guest_id>/metrics", metrics.GuestMetricsView.as_view(), name="guest-metrics"),
    *(
        path(f"guests/<uuid:guest_id>/actions/{action.verb}", views.action_view(action), name=f"guest-{action.verb}")
        for action in views.PLAIN_ACTIONS
    ),
    path(
        "guests/<uuid:guest_id>/actions/reset-root-password",
        views.GuestResetRootPasswordView.as_view(),
        name="guest-reset-root-password",
    ),
    path("guests/<uuid:guest_id>/actions/rebuild", views.GuestRebuildView.as_view(), name="guest-rebuild"),
]
