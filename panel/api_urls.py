"""Routes of the REST API, gathered from the apps."""

from django.urls import include, path

urlpatterns = [
    path("", include("panel.core.api.urls")),
]
