"""API routes of guests. ``/guests`` and ``/guests/{id}`` themselves are in ``billing.api.urls``."""

from django.urls import path

from vms.api import bulk, differences, fleet, metrics, views

urlpatterns = [
    *(path(f"guests/actions/{action.verb}", view, name=f"guests-{action.verb}") for action, view in bulk.VIEWS.items()),
    path("differences", differences.DifferenceListView.as_view(), name="differences"),
    path("differences/<uuid:difference_id>", differences.DifferenceView.as_view(), name="difference"),
    path(
        "differences/<uuid:difference_id>/actions/repair",
        differences.DifferenceRepairView.as_view(),
        name="difference-repair",
    ),
    path(
        "differences/<uuid:difference_id>/actions/release",
        differences.DifferenceReleaseView.as_view(),
        name="difference-release",
    ),
    path(
        "differences/<uuid:difference_id>/actions/ignore",
        differences.DifferenceIgnoreView.as_view(),
        name="difference-ignore",
    ),
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
