"""API routes of hosts, pools, networks, addresses and images."""

from django.urls import path

from hosts.api import hosts, images, metrics, networks, utilisation

urlpatterns = [
    path("hosts", hosts.HostListView.as_view(), name="hosts"),
    path("hosts/utilisation", utilisation.UtilisationView.as_view(), name="host-utilisation"),
    path("hosts/<uuid:host_id>/metrics", metrics.HostMetricsView.as_view(), name="host-metrics"),
    path("hosts/<uuid:host_id>", hosts.HostView.as_view(), name="host"),
    path(
        "hosts/<uuid:host_id>/actions/enter-maintenance",
        hosts.HostEnterMaintenanceView.as_view(),
        name="host-enter-maintenance",
    ),
    path(
        "hosts/<uuid:host_id>/actions/leave-maintenance",
        hosts.HostLeaveMaintenanceView.as_view(),
        name="host-leave-maintenance",
    ),
    path("hosts/<uuid:host_id>/actions/enrol", hosts.HostEnrolView.as_view(), name="host-enrol"),
    path("hosts/<uuid:host_id>/actions/check", hosts.HostCheckView.as_view(), name="host-check"),
    path("pools", hosts.PoolListView.as_view(), name="pools"),
    path("pools/<uuid:pool_id>", hosts.PoolView.as_view(), name="pool"),
    path("networks", networks.NetworkListView.as_view(), name="networks"),
    path("networks/<uuid:network_id>", networks.NetworkView.as_view(), name="network"),
    path("addresses", networks.AddressListView.as_view(), name="addresses"),
    path("images", images.ImageListView.as_view(), name="images"),
    path("images/<str:image>", images.ImageView.as_view(), name="image"),
    path("images/<str:image>/actions/retire", images.ImageRetireView.as_view(), name="image-retire"),
]
