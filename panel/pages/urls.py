"""Page routes. One table: a page's name, path, title, module, the right it asks for, nav entry and skeleton."""

from functools import partial

from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.i18n import JavaScriptCatalog

from panel.core.permissions import Permission as P
from panel.pages import views
from panel.pages.views import Page

Staff = partial(Page, staff=True)
# fmt: off
PAGES = (
    Staff("overview", "overview", _("Overview"), "overview", P.FLEET_VIEW, "overview", "cards"),
    Staff("health", "health", _("Health"), "health", P.FLEET_VIEW, "health", "cards"),
    Staff("hosts", "hosts", _("Hosts"), "hosts", P.FLEET_VIEW, "hosts"),
    Staff("host", "hosts/<uuid:id>", _("Host"), "host", P.FLEET_VIEW, "hosts", "detail"),
    Staff("differences", "differences", _("Differences"), "differences", P.FLEET_VIEW, "differences"),
    Staff("utilisation", "utilisation", _("Utilisation"), "utilisation", P.FLEET_VIEW, "utilisation", "cards"),
    Staff("guests", "guests", _("Guests"), "guests", P.GUEST_VIEW, "guests"),
    Staff("guest-new", "guests/new", _("Create guest"), "create", P.GUEST_PLACE, "guests", "form"),
    Staff("guest", "guests/<uuid:id>", _("Guest"), "server", P.GUEST_VIEW, "guests", "detail"),
    Staff("customers", "customers", _("Customers"), "customers", P.CUSTOMER_VIEW, "customers"),
    Staff("customer", "customers/<uuid:id>", _("Customer"), "customer", P.CUSTOMER_VIEW, "customers", "detail"),
    Staff("users", "users", _("Users"), "users", P.USER_VIEW, "users"),
    Staff("images", "images", _("Images"), "images", P.IMAGE_VIEW, "images"),
    Staff("networks", "networks", _("Networks"), "networks", P.FLEET_VIEW, "networks"),
    Staff("network", "networks/<uuid:id>", _("Network"), "network", P.FLEET_VIEW, "networks", "detail"),
    Staff("plans", "plans", _("Plans"), "plans", P.PLAN_VIEW, "plans"),
    Staff("jobs", "jobs", _("Jobs"), "jobs", P.JOB_VIEW, "jobs"),
    Staff("audit", "audit", _("Audit"), "audit", P.AUDIT_VIEW, "audit"),
    Staff("settings", "settings", _("Settings"), "settings", P.TOKEN_VIEW, "settings"),
    Page("servers", "servers", _("Servers"), "guests", P.GUEST_VIEW, "servers"),
    Page("server-new", "servers/new", _("Create server"), "create", P.GUEST_CREATE, "servers", "form"),
    Page("server", "servers/<uuid:id>", _("Server"), "server", P.GUEST_VIEW, "servers", "detail"),
    Page("keys", "keys", _("Keys"), "keys", P.KEY_VIEW, "keys"),
    Page("team", "team", _("Team"), "team", P.MEMBER_VIEW, "team"),
    Page("activity", "activity", _("Activity"), "jobs", P.JOB_VIEW, "activity"),
    Page("job", "jobs/<uuid:id>", _("Job"), "job", P.JOB_VIEW, "jobs", "detail"),
    Page("tokens", "tokens", _("Tokens"), "tokens", None, "tokens"),
    Page("profile", "profile", _("Profile"), "profile", None, "profile", "form"),
)
# fmt: on

catalog = cache_control(max_age=600, private=True)(JavaScriptCatalog.as_view(packages=["panel"]))

urlpatterns: list[URLPattern] = [
    path("", views.start, name="page-start"),
    path("icons-<slug:version>.svg", views.icons, name="page-icons"),
    path("jsi18n", catalog, name="javascript-catalog"),
    *(path(page.path, page.view, name=f"page-{page.name}") for page in PAGES),
]
