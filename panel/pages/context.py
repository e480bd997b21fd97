"""What every page template may use. A constant number of queries, whatever the size of the fleet."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.urls import reverse

from panel.core.actors import Actor
from panel.core.api.authentication import session_actor
from panel.core.models import Customer
from panel.core.permissions import Permission
from panel.pages.icons import sprite_version
from panel.pages.nav import nav_for

_CACHE = "_pages_actor"
CUSTOMERS_SHOWN = 50  # of a person who belongs to more, the first ones by name


def page_actor(request: HttpRequest) -> Actor | None:
    """Return the request's actor, asked of the database once."""
    if not hasattr(request, _CACHE):
        signed_in = hasattr(request, "user") and hasattr(request, "session")
        setattr(request, _CACHE, session_actor(request) if signed_in else None)
    actor: Actor | None = getattr(request, _CACHE)
    return actor


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return what templates outside the frame need too: no query, because an error's page must never fail."""
    return {"theme": "auto"}


def frame(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """Return the frame's variables for somebody who is signed in."""
    customers = _customers(actor)
    return {
        "theme": request.user.theme,  # type: ignore[union-attr]
        "actor": actor,
        "nav_groups": nav_for(actor),
        "acting_name": customers[0]["name"] if actor.acting_for and customers else "",
        "person_name": getattr(request.user, "name", "") or actor.label,
        "boot": _boot(request, actor, customers),
    }


def _customers(actor: Actor) -> list[dict[str, Any]]:
    """Return the customers whose things the actor handles, with role and rights there; none for staff, who see all."""
    if actor.is_staff or not actor.roles:
        return []
    found = Customer.objects.filter(pk__in=actor.roles).order_by("name").values_list("pk", "name")[:CUSTOMERS_SHOWN]
    return [
        {"id": str(pk), "name": name, "role": str(actor.roles[pk]), "rights": _rights(actor, pk)} for pk, name in found
    ]


def _rights(actor: Actor, customer_id: UUID) -> list[str]:
    return sorted(p.value for p in Permission if actor.may(p, customer_id))


def _boot(request: HttpRequest, actor: Actor, customers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the modules need to know before their first call of the API."""
    return {
        "csrf": get_token(request),
        "staff": actor.is_staff,
        "rights": sorted(p.value for p in Permission if actor.may_somewhere(p)),
        "customers": customers,
        "acting_for": str(actor.acting_for) if actor.acting_for else None,
        "user_id": str(actor.user_id) if actor.user_id else None,
        "email": actor.label,
        "icons": reverse("page-icons", args=[sprite_version()]),
        "graph_css": staticfiles_storage.url("vendor/uplot/uplot.min.css"),
        "language": request.LANGUAGE_CODE if hasattr(request, "LANGUAGE_CODE") else settings.LANGUAGE_CODE,
        "login": reverse(settings.LOGIN_URL),
    }
