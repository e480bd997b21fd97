"""Deny by default: a view without a declared right for a method answers nobody."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from panel.core.actors import Actor
from panel.core.errors import PermissionDeniedError
from panel.core.permissions import Permission


class DeclaredPermission(BasePermission):
    """Asks the view's ``permissions`` table: method → Permission, or None for any signed-in caller.

    This is the coarse gate (may the caller do this to anything at all?). Whose thing it is decide the
    selectors (404) and ``Actor.require`` (403).
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        actor = request.user
        table: dict[str, Permission | None] = getattr(view, "permissions", {})
        if not isinstance(actor, Actor) or request.method not in table:
            return False
        if actor.read_only and request.method not in SAFE_METHODS:
            raise PermissionDeniedError("This token can only read.")
        permission = table[request.method]
        if permission is None:
            return True
        return actor.may_somewhere(permission)
