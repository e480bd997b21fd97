"""Errors as RFC 9457 problem+json. The only place where an error becomes an HTTP status."""

import logging
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults
from rest_framework import exceptions as drf
from rest_framework.response import Response

from panel.core import errors

logger = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"

STATUS: dict[type[errors.PanelError], int] = {
    errors.InvalidInputError: 400,
    errors.PermissionDeniedError: 403,
    errors.NotFoundError: 404,
    errors.InvalidStateError: 409,
    errors.ResourceBusyError: 409,
    errors.ConflictError: 409,
    errors.QuotaExceededError: 409,
    errors.CapacityError: 409,
    errors.NotReadyError: 503,
    errors.IdempotencyMismatchError: 422,
    errors.VersionMismatchError: 412,
    errors.DriverError: 502,
}


def problem(
    *,
    status: int,
    code: str,
    detail: str,
    request_id: str,
    field_errors: list[dict[str, str]] | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """Return the body of a problem. What it repeats of the request can always be written as UTF-8."""
    body = {
        "type": "about:blank",
        "title": detail.rstrip("."),
        "status": status,
        "code": code,
        "detail": detail,
        "errors": field_errors or [],
        "request_id": request_id,
        **facts,
    }
    return cast(dict[str, Any], _writable(body))


def _writable(value: Any) -> Any:
    """Return ``value`` with lone surrogates, which JSON can name and UTF-8 cannot, spelt out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_writable(item) for item in value]
    if isinstance(value, dict):
        return {_writable(name): _writable(item) for name, item in value.items()}
    return value


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an exception of a view into a problem; unknown ones are left to Django (500)."""
    if isinstance(error, OperationalError | InterfaceError):
        raise error
    request = context["request"]
    request_id = getattr(request._request, "request_id", "")
    headers: dict[str, str] = {}
    if isinstance(error, errors.PanelError):
        body = _of_panel_error(error, request_id)
    else:
        if isinstance(error, Http404):
            error = drf.NotFound("There is no such object.")
        elif isinstance(error, PermissionDenied):
            error = drf.PermissionDenied("Your role does not allow this.")
        if not isinstance(error, drf.APIException):
            return None
        body = _of_drf_error(error, request_id)
        if wait := getattr(error, "wait", None):
            headers["Retry-After"] = str(int(wait) + 1)
        if challenge := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
    response = Response(body, status=body["status"], content_type=CONTENT_TYPE, headers=headers)
    if retry := body.get("retry_after_s"):
        response["Retry-After"] = str(retry)
    return response


def _of_panel_error(error: errors.PanelError, request_id: str) -> dict[str, Any]:
    status = next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 500)
    fields = getattr(error, "fields", {})
    return problem(
        status=status,
        code=error.code,
        detail=str(error),
        request_id=request_id,
        field_errors=[{"field": name, "message": message} for name, message in fields.items()],
        **{key: value for key, value in error.facts.items() if isinstance(value, str | int | float | list | None)},
    )


def _of_drf_error(error: drf.APIException, request_id: str) -> dict[str, Any]:
    if isinstance(error, drf.ValidationError):
        found = list(_flatten(error.detail))
        return problem(
            status=400,
            code="invalid_input",
            detail=found[0]["message"] if found else "The request cannot be accepted.",
            request_id=request_id,
            field_errors=found,
        )
    code = {
        401: "not_authenticated",
        403: "permission_denied",
        404: "not_found",
        405: "method_not_allowed",
        413: "body_too_large",
        415: "unsupported_media_type",
        429: "rate_limited",
    }.get(error.status_code, str(error.default_code))
    detail = str(error.detail)
    if error.status_code == 403 and code == "permission_denied" and "CSRF" not in detail:
        detail = "Your role does not allow this."
    return problem(status=error.status_code, code=code, detail=detail, request_id=request_id)


def _flatten(detail: Any, path: str = "") -> Any:
    """Yield {field, message} for every leaf of DRF's nested error structure."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            name = "" if key == "non_field_errors" else str(key)
            yield from _flatten(value, f"{path}.{name}".strip("."))
    elif isinstance(detail, list | tuple):
        for index, value in enumerate(detail):
            nested = isinstance(value, dict | list)
            yield from _flatten(value, f"{path}.{index}".strip(".") if nested else path)
    else:
        yield {"field": path, "message": str(detail)}


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for a path that leads nowhere, in the caller's language."""
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    return _plain(request, 404, "not_found", "There is no such object.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for a mistake of ours; the log has it under the same request id."""
    if not request.path.startswith("/api/"):
        return defaults.server_error(request)
    return _plain(request, 500, "internal_error", "Something went wrong on our side. It has been logged.")


def _plain(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    body = problem(status=status, code=code, detail=detail, request_id=getattr(request, "request_id", ""))
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a failed CSRF check of a page: the form was open too long."""
    return render(request, "403_csrf.html", status=403)
