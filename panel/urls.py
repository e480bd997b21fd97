"""Root URLconf: pages, the API of each app, and what machines ask."""

from django.urls import include, path

from panel.core.api import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/v1/", include("panel.api_urls")),
    path("accounts/", include("allauth.account.urls")),
    path("", include("panel.pages.urls")),
]
