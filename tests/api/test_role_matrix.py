"""Every route × method × kind of caller, against the one permission table.

Expectations are derived: what ``panel.core.permissions`` gives a role must be let in, everything else refused
with 401, 403 or 404. What cannot be derived is in OVERRIDES, each with its reason. A route whose view declares
no right for a method it handles fails, and so does a path parameter this test has no object for.
"""

from typing import Any

import pytest
from django.db import transaction

from panel.core.models import ClientRole, CustomerRole, StaffRole
from panel.core.permissions import CLIENT_ROLES, CUSTOMER_ROLES, STAFF_ROLES, Permission
from tests.api.world import World, world_make
from tests.architecture.routes import Route, api_routes
from tests.client import ApiUser

pytestmark = pytest.mark.django_db

PUBLIC = {"schema": "the description of the API is for everybody"}
CUSTOMER = {"viewer": CustomerRole.VIEWER, "member": CustomerRole.MEMBER, "owner": CustomerRole.OWNER}
EVERYWHERE = {
    "billing": CLIENT_ROLES[ClientRole.BILLING],
    "operator": STAFF_ROLES[StaffRole.OPERATOR],
    "admin": STAFF_ROLES[StaffRole.ADMIN],
}
OTHER = {f"other customer's {role}": value for role, value in CUSTOMER.items()}
ROLES = ("anonymous", "expired", "read-only", *OTHER, *CUSTOMER, *EVERYWHERE)
OF_CUSTOMERS = {"customer_id", "guest_id", "job_id", "key_id", "subscription_id", "token_id"}  # what paths name
LET_IN, NOBODY, FORBIDDEN, UNSEEN = "let in", 401, 403, 404

OVERRIDES: dict[tuple[str, str, str], Any] = {
    ("me", "PATCH", "billing"): FORBIDDEN,  # an integration has no profile
    **{("token", method, role): UNSEEN for method in ("GET", "DELETE") for role in CUSTOMER if role != "owner"},
    ("events", "GET", "*"): LET_IN,  # every caller has a stream; what it shows is filtered
}


@pytest.fixture
def world(db) -> World:
    return world_make()


def expected(route: Route, method: str, role: str) -> Any:
    """Return what a caller of a kind must get: LET_IN or the status of the refusal."""
    for key in ((route.name, method, role), (route.name, method, "*")):
        if key in OVERRIDES and role not in ("anonymous", "expired"):
            return OVERRIDES[key]
    if role in ("anonymous", "expired"):
        return NOBODY
    if method not in route.declared:
        return FORBIDDEN  # and another test says that the declaration is missing
    if role == "read-only":
        return FORBIDDEN if method != "GET" else expected(route, method, "owner")
    permission: Permission | None = route.declared[method]
    if permission is None:
        return LET_IN
    if role in EVERYWHERE:
        return LET_IN if permission in EVERYWHERE[role] else FORBIDDEN
    if role in OTHER and OF_CUSTOMERS & set(route.parameters):
        return UNSEEN  # whatever their role would allow them at home
    return LET_IN if permission in CUSTOMER_ROLES[(CUSTOMER | OTHER)[role]] else FORBIDDEN


def outcome(status: int) -> Any:
    """Return LET_IN for whatever is not a refusal of the caller."""
    if status >= 500 and status != 503:
        return f"error {status}"
    return status if status in (401, 403, 404, 405) else LET_IN


def ask(caller: ApiUser, method: str, path: str) -> int:
    """Send a request and undo what it did."""
    with transaction.atomic():
        body: dict[str, str] | None = None if method in ("GET", "DELETE") else {}
        status = caller.call(method, path, body).status_code
        transaction.set_rollback(True)
    return status


def test_every_route_declares_exactly_what_it_handles():
    wrong = [route for route in api_routes() if _undeclared(route)]
    assert {route.template: (sorted(route.handled), sorted(route.declared)) for route in wrong} == {}


def _undeclared(route: Route) -> bool:
    return route.name not in PUBLIC and (route.handled != set(route.declared) or not route.handled)


def test_every_path_parameter_has_an_object(world):
    unknown = {name for route in api_routes() for name in route.parameters} - set(world.objects)
    assert unknown == set()


@pytest.mark.parametrize("role", ROLES)
def test_who_is_let_in(world, role):
    caller = world.callers[role]
    wrong = []
    for route in api_routes():
        if route.name in PUBLIC:
            continue
        for method in sorted(route.handled):
            got = outcome(ask(caller, method, route.path(world.objects)))
            wanted = expected(route, method, role)
            if got != wanted:
                wrong.append(f"{method} /{route.template}: {got}, wanted {wanted}")
    assert wrong == []


def test_the_matrix_is_not_empty():
    """A change of the URL configuration must not make this test walk nothing."""
    routes = api_routes()
    assert len(routes) >= 40
    assert {"guests", "guest-start", "hosts", "customers", "subscriptions", "jobs", "audit"} <= {r.name for r in routes}
