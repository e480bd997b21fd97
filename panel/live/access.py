"""The synchronous part of a long answer: who is it, what is there now. Runs in a slot's thread."""

import io
import logging
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from rest_framework.response import Response

from panel.core.actors import Actor
from panel.core.api.views import PanelView
from panel.core.logs import log_scope
from panel.core.middleware import request_id_of, unavailable
from panel.live.http import Headers, Scope

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer. ``data`` is what its JSON says."""

    status: int
    headers: Headers
    body: bytes
    data: Any = None


@dataclass(frozen=True, slots=True)
class Entered:
    """Either the caller, let in, or the answer that refuses them."""

    actor: Actor | None
    refusal: Answer | None


def enter(scope: Scope, view_class: type[PanelView]) -> Entered:
    """Authenticate a caller and apply the view's permissions and throttles, without calling it."""
    request = _request(scope)
    with log_scope(request_id=request.request_id):  # type: ignore[attr-defined]
        return _enter(request, view_class)


def _enter(request: HttpRequest, view_class: type[PanelView]) -> Entered:
    view = view_class()
    view.setup(request)
    try:
        request.get_host()
        view.request = checked = view.initialize_request(request)
        view.headers = view.default_response_headers
        view.initial(checked)
    except DisallowedHost:
        return Entered(None, _finished(request, HttpResponseBadRequest("Unknown host name.")))
    except (OperationalError, InterfaceError):
        return Entered(None, _finished(request, unavailable(request)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the view's own handler answers or raises it
        refusal = view.handle_exception(error)
        return Entered(None, _finished(request, view.finalize_response(view.request, refusal)))
    return Entered(view.actor, None)


def read(scope: Scope, view_class: type[PanelView], **arguments: Any) -> Answer:
    """Return the view's answer to a GET."""
    request = _request(scope)
    with log_scope(request_id=request.request_id):  # type: ignore[attr-defined]
        try:
            request.get_host()
            return _finished(request, view_class.as_view()(request, **arguments))
        except DisallowedHost:
            return _finished(request, HttpResponseBadRequest("Unknown host name."))
        except (OperationalError, InterfaceError):
            return _finished(request, unavailable(request))


def _request(scope: Scope) -> HttpRequest:
    """Return Django's request for a scope, with the middleware a view's authentication needs."""
    request = ASGIRequest(scope, io.BytesIO())
    request.request_id = request_id_of(request)  # type: ignore[attr-defined]
    SessionMiddleware(HttpResponse).process_request(request)
    AuthenticationMiddleware(HttpResponse).process_request(request)
    return request


def _finished(request: HttpRequest, response: Any) -> Answer:
    if isinstance(response, Response):
        response.render()
    response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
    response["X-Content-Type-Options"] = "nosniff"
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    return Answer(response.status_code, headers, response.content, getattr(response, "data", None))
