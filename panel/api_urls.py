"""Routes of the REST API, gathered from the apps."""

from django.urls import include, path

from panel.pages.search import SearchView

urlpatterns = [
    path("", include("panel.core.api.urls")),
    path("", include("hosts.api.urls")),
    path("", include("vms.api.urls")),
    path("", include("billing.api.urls")),
    path("search", SearchView.as_view(), name="search"),
]
