"""Routes of the REST API, gathered from the apps."""

from django.urls import include, path

urlpatterns = [
    path("", include("panel.core.api.urls")),
    path("", include("hosts.api.urls")),
    path("", include("vms.api.urls")),
    path("", include("billing.api.urls")),
]
