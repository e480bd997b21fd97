"""Root URLconf: pages, the API of each app, and what machines ask."""

from django.urls import include, path

from panel.core.api import health

handler404 = "panel.core.api.problems.not_found"
handler500 = "panel.core.api.problems.server_error"
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/v1/", include("panel.api_urls")),
    path("accounts/", include("panel.accounts_urls")),
    path("", include("panel.pages.urls")),
]
