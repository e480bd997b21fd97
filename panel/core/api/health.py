"""What machines ask of a process: ``/healthz`` (alive), ``/readyz`` (can serve), ``/metrics`` (Prometheus)."""

import hmac
import ipaddress

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from panel.core.api.authentication import BearerAuthentication, session_actor
from panel.core.fleet_metrics import FleetMetrics
from panel.core.metric_zeros import measured
from panel.core.middleware import client_address
from panel.core.permissions import Permission
from panel.core.readiness import readiness

RETRY_AFTER_S = 5
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers, whatever it needs may be away. (A web server answers this before it comes here.)"""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """The process can serve: 200, or 503 with the reason. Without Redis it is ready, and ``degraded``."""
    found = readiness()
    body = {
        "status": found.reason or ("ok" if found.redis else "degraded"),
        "checks": {
            "database": "ok" if found.database else "unavailable",
            "migrations": "ok" if found.migrations else "pending" if found.database else "unknown",
            "redis": "ok" if found.redis else "unavailable",
        },
    }
    if found.reason:
        return JsonResponse(body, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})
    return JsonResponse(body)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics: of the fleet from the database, and of every process of this machine."""
    if not _may_read_metrics(request):
        refusal = "Metrics are for this machine, for staff's tokens and for METRICS_TOKEN.\n"
        return HttpResponse(refusal, status=403, content_type="text/plain; charset=utf-8")
    registry = CollectorRegistry()
    registry.register(FleetMetrics())
    registry.register(_OfProcesses())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _OfProcesses:
    collect = staticmethod(measured)

    @staticmethod
    def describe() -> list[object]:
        """Say nothing: what there is comes with the first measurement."""
        return []


def _may_read_metrics(request: HttpRequest) -> bool:
    """True for a caller on this machine, the token made for it, and staff who see the fleet."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    given, wanted = value.strip().encode(), settings.METRICS_TOKEN.encode()
    if wanted and scheme.lower() == "bearer" and hmac.compare_digest(given, wanted):
        return True
    if not scheme and settings.METRICS_LOOPBACK and _is_local(request):
        return True
    try:
        if scheme:
            found = BearerAuthentication().authenticate(Request(request))
            actor = found[0] if found else None
        else:
            actor = session_actor(request)
        return actor is not None and actor.may(Permission.FLEET_VIEW)
    except (APIException, OperationalError, InterfaceError):
        return False


def _is_local(request: HttpRequest) -> bool:
    """True when the caller is on this machine and no proxy speaks for somebody else."""
    address = client_address(request)
    forwarded = any(name in request.headers for name in _FORWARDED)
    return address is not None and ipaddress.ip_address(address).is_loopback and not forwarded
