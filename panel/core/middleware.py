"""What surrounds every request: its id and address, and a plain answer when the database is away."""

import ipaddress
import logging
import re
import time
import uuid
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from panel.core.logs import log_bind, log_scope
from panel.core.metrics import HTTP_SECONDS

logger = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_SLOW_S = 1.0
GetResponse = Callable[[HttpRequest], HttpResponse]
RETRY_AFTER_S = 5
_READING = ("GET", "HEAD", "OPTIONS")
_METHODS = (*_READING, "POST", "PUT", "PATCH", "DELETE")


def request_id_of(request: HttpRequest) -> str:
    """Return the caller's own request id when it is plain, else a new one."""
    return plain_request_id(request.headers.get("X-Request-Id", ""))


def plain_request_id(given: str) -> str:
    """Return ``given`` when it can stand for a request everywhere, else a new id."""
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


class RequestContextMiddleware:
    """Gives a request its id (a caller's own is kept when it is plain), binds it to the log, and measures the answer.

    The log has each request that may change something, and each that failed or was slow, by its route: addresses may
    hold what opens an account.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = request_id_of(request)  # type: ignore[attr-defined]
        with log_scope(request_id=request.request_id):  # type: ignore[attr-defined]
            began = time.monotonic()
            response = self._get_response(request)
            _note(request, response, time.monotonic() - began)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response


def _note(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """Measure an answer and log it."""
    match, status = request.resolver_match, response.status_code
    route = f"/{match.route}" if match else "(none)"
    method = request.method if request.method in _METHODS else "OTHER"
    HTTP_SECONDS.labels(method, route, status).observe(seconds)
    important = method not in _READING or status >= 500 or seconds >= _SLOW_S
    level = logging.INFO if important else logging.DEBUG
    if logger.isEnabledFor(level):
        log_bind(**{name: value for name, value in (match.kwargs if match else {}).items() if name.endswith("_id")})
        what = {"method": method, "route": route, "status": status, "duration_ms": round(seconds * 1000)}
        logger.log(level, "request answered", extra=what)


class DatabaseDownMiddleware:
    """Answers 503 with Retry-After while PostgreSQL is away; the next request tries again."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self._get_response(request)
        except (OperationalError, InterfaceError) as error:
            logger.warning("database unavailable: %s", error)
            return unavailable(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Catch what a view raised before Django makes a 500 of it."""
        if not isinstance(error, OperationalError | InterfaceError):
            return None
        logger.warning("database unavailable: %s", error)
        return unavailable(request)


def unavailable(request: HttpRequest) -> HttpResponse:
    """Return the 503 answer in the caller's language: problem+json for the API, a page for people."""
    request_id = getattr(request, "request_id", "")
    if request.path.startswith("/api/"):
        response: HttpResponse = JsonResponse(
            {
                "type": "about:blank",
                "title": "Service unavailable",
                "status": 503,
                "code": "database_unavailable",
                "detail": "The panel cannot reach its database. Nothing was changed; try again in a moment.",
                "errors": [],
                "request_id": request_id,
            },
            status=503,
            content_type="application/problem+json",
        )
    else:
        response = render(request, "503.html", {"retry_after_s": RETRY_AFTER_S}, status=503, using="django")
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def client_address(request: HttpRequest) -> str | None:
    """Return the caller's address, which the web server has from the connection or from a proxy that it trusts."""
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def client_network(request: HttpRequest) -> str:
    """Return what tries are counted by: see ``network_of``."""
    return network_of(client_address(request))


def network_of(address: str | None) -> str:
    """Return the part of an address that is one subscriber's: of IPv6 the /64. "" for none."""
    address = address or ""
    return str(ipaddress.ip_network(f"{address}/64", strict=False)) if ":" in address else address
