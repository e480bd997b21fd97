"""The base of every API view, and small things they share."""

from typing import Any, cast

from django.db import transaction
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from panel.core.actors import Actor
from panel.core.api.idempotency import idempotent
from panel.core.api.input import StrictSerializer
from panel.core.api.query import known_params
from panel.core.api.throttling import RefusedThrottle
from panel.core.errors import VersionMismatchError
from panel.core.permissions import Permission


class PanelView(APIView):
    """A view that declares the right each method needs, and answers POST idempotently in one transaction.

    ``write_params`` are the query parameters that requests which change something may have; others are refused.
    """

    permissions: dict[str, Permission | None] = {}
    write_params: tuple[str, ...] = ()
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    @property
    def actor(self) -> Actor:
        """The caller."""
        return cast(Actor, self.request.user)

    def must_see(self) -> None:
        """Raise NotFoundError when the path names something of a customer that the caller does not see.

        Asked before somebody is told that their role does not suffice. Routes that name nothing of a customer's
        have nothing to hide.
        """

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if rate := getattr(request, "rate_limit", None):
            response["RateLimit-Limit"], response["RateLimit-Remaining"], response["RateLimit-Reset"] = map(str, rate)
        if "Cache-Control" not in response:
            response["Cache-Control"] = "no-store"
        return response

    def perform_authentication(self, request: Request) -> None:
        try:
            super().perform_authentication(request)
        except APIException:
            throttle = RefusedThrottle()
            if not throttle.allow_request(request, self):
                self.throttled(request, throttle.wait())
            raise

    def check_permissions(self, request: Request) -> None:
        super().check_throttles(request)  # before: who lacks the right is counted too
        super().check_permissions(request)

    def check_throttles(self, request: Request) -> None:
        """Done by ``check_permissions``."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = (request.method or "").lower()
        handler = getattr(self, method, None)
        if handler is None:
            return
        if request.method not in SAFE_METHODS:
            known_params(request, *self.write_params)
        if method == "post":
            setattr(self, method, lambda req, *a, **k: idempotent(req, lambda: handler(req, *a, **k)))
        elif method in ("patch", "put", "delete"):
            setattr(self, method, transaction.atomic(handler))


def parsed(serializer: type[StrictSerializer], request: Request, *, partial: bool = False) -> dict[str, Any]:
    """Return the request's validated body. Raises DRF's ValidationError, naming each field."""
    checked = serializer(data=request.data, partial=partial)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


def etag(version: int) -> str:
    """Return the ETag of a version."""
    return f'"{version}"'


def with_etag(response: Response, version: int) -> Response:
    """Set the ETag header."""
    response["ETag"] = etag(version)
    return response


def check_if_match(request: Request, version: int) -> None:
    """Raise VersionMismatchError when the caller's ``If-Match`` is not the present version."""
    wanted = request.headers.get("If-Match")
    if wanted and wanted.strip() not in ("*", etag(version)):
        raise VersionMismatchError(version=version)
