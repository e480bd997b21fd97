"""Deny by default: a view without a declared right for a method answers nobody."""

from typing import Any

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from panel.core.actors import Actor
from panel.core.errors import PermissionDeniedError
from panel.core.permissions import Permission


class DeclaredPermission(BasePermission):
    """Asks the view's ``permissions`` table: method → Permission, or None for any signed-in caller.

    This is the coarse gate (may the caller do this to anything at all?). Whose thing it is decide the
    selectors (404) and ``Actor.require`` (403). Who does not pass it learns no more than who does: what is
    out of their sight does not exist.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the caller may go on.

        Raises:
            MethodNotAllowed: the route has no such method.
            NotFoundError: the caller may not, and what the path names is of a customer they do not see.
        """
        actor = request.user
        table: dict[str, Permission | None] = getattr(view, "permissions", {})
        method = "GET" if request.method == "HEAD" else request.method or ""
        if not isinstance(actor, Actor):
            return False
        if method not in table:
            raise MethodNotAllowed(method)
        permission = table[method]
        if actor.read_only and method not in SAFE_METHODS:
            view.must_see()
            raise PermissionDeniedError("This token can only read.")
        if permission is None or actor.may_somewhere(permission):
            return True
        view.must_see()
        return False
