"""The left bar: what there is for whom. Only what the caller may open is shown."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from panel.core.actors import Actor
from panel.core.permissions import Permission


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry: ``name`` is the page's name, and what marks it as the present one."""

    name: str
    label: str | Promise
    icon: str
    permission: Permission

    @property
    def route(self) -> str:
        """The page's route name; the API has routes of the same plain names."""
        return f"page-{self.name}"


@dataclass(frozen=True, slots=True)
class NavGroup:
    """Entries that belong together."""

    label: str | Promise
    items: tuple[NavItem, ...]


P = Permission
STAFF_NAV = (
    NavGroup(
        _("Fleet"),
        (
            NavItem("overview", _("Overview"), "layout-dashboard", P.FLEET_VIEW),
            NavItem("health", _("Health"), "heartbeat", P.FLEET_VIEW),
            NavItem("hosts", _("Hosts"), "server-2", P.FLEET_VIEW),
            NavItem("guests", _("Guests"), "stack-2", P.GUEST_VIEW),
            NavItem("differences", _("Differences"), "adjustments-horizontal", P.FLEET_VIEW),
            NavItem("utilisation", _("Utilisation"), "gauge", P.FLEET_VIEW),
            NavItem("images", _("Images"), "photo", P.IMAGE_VIEW),
            NavItem("networks", _("Networks"), "network", P.FLEET_VIEW),
        ),
    ),
    NavGroup(
        _("Business"),
        (
            NavItem("customers", _("Customers"), "building", P.CUSTOMER_VIEW),
            NavItem("users", _("Users"), "users", P.USER_VIEW),
            NavItem("plans", _("Plans"), "coin", P.PLAN_VIEW),
        ),
    ),
    NavGroup(
        _("Record"),
        (
            NavItem("jobs", _("Jobs"), "list-check", P.JOB_VIEW),
            NavItem("audit", _("Audit"), "history", P.AUDIT_VIEW),
            NavItem("settings", _("Settings"), "settings", P.TOKEN_MANAGE),
        ),
    ),
)
CUSTOMER_NAV = (
    NavGroup(
        _("Run"),
        (
            NavItem("servers", _("Servers"), "server", P.GUEST_VIEW),
            NavItem("keys", _("Keys"), "key", P.KEY_VIEW),
        ),
    ),
    NavGroup(
        _("Account"),
        (
            NavItem("team", _("Team"), "users-group", P.MEMBER_VIEW),
            NavItem("tokens", _("Tokens"), "id-badge-2", P.TOKEN_VIEW),
            NavItem("activity", _("Activity"), "activity", P.JOB_VIEW),
        ),
    ),
)


def nav_for(actor: Actor) -> list[NavGroup]:
    """Return the groups with the entries that the actor may open."""
    return list(_groups(actor))


def _groups(actor: Actor) -> Iterator[NavGroup]:
    for group in STAFF_NAV if actor.is_staff else CUSTOMER_NAV:
        items = tuple(item for item in group.items if actor.may_somewhere(item.permission))
        if items:
            yield NavGroup(group.label, items)
