"""Who is calling: a bearer token or a session. Both end in an ``Actor``."""

import hmac
import re
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from panel.core.actors import Actor, act_for, bearer, person
from panel.core.errors import IdentityChangedError
from panel.core.middleware import client_address
from panel.core.models import ApiToken, Customer
from panel.core.people.acting import ACT_FOR_KEY
from panel.core.people.token_use import token_used
from panel.core.permissions import Permission
from panel.core.secrets import PREFIX_LENGTH, secret_hmac

_TOKEN = re.compile(r"[A-Za-z0-9]{64}")


class BearerAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer TOKEN`` with a token of 64 letters and digits."""

    def authenticate(self, request: Request) -> tuple[Actor, ApiToken] | None:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not _TOKEN.fullmatch(value.strip()):
            raise exceptions.AuthenticationFailed("The token is not valid.")
        token = self._token(value.strip())
        address = client_address(request._request)
        actor = bearer(token, address=address, request_id=getattr(request._request, "request_id", ""))
        token_used(token, actor)
        return actor, token

    @staticmethod
    def _token(value: str) -> ApiToken:
        token = (
            ApiToken.objects.select_related("client__user")
            .filter(
                Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()),
                Q(client__user__isnull=True) | Q(client__user__is_active=True),
                prefix=value[:PREFIX_LENGTH],
                revoked_at__isnull=True,
                client__is_active=True,
            )
            .first()
        )
        if token is None or not hmac.compare_digest(token.secret_hmac, secret_hmac(value[PREFIX_LENGTH:])):
            raise exceptions.AuthenticationFailed("The token is not valid or has expired.")
        return token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="innkeeper"'


def session_actor(request: HttpRequest) -> Actor | None:
    """Return the actor of a signed-in request, as the customer staff act for, if any."""
    user = request.user
    if not user.is_authenticated or not user.is_active:
        return None
    actor = person(user, address=client_address(request), request_id=getattr(request, "request_id", ""))
    acting = request.session.get(ACT_FOR_KEY)
    if (
        acting
        and actor.may(Permission.ACT_FOR_CUSTOMER)
        and Customer.objects.filter(pk=acting, deleted_at__isnull=True).exists()
    ):
        return act_for(actor, UUID(acting))
    return actor


def identity_of(actor: Actor) -> str:
    """Return who a page is for, as pages say it in ``X-Innkeeper-Identity``."""
    return f"{actor.user_id or ''}/{actor.acting_for or ''}"


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session, with CSRF. A page that was made for somebody else is refused: tabs share the session."""

    def authenticate(self, request: Request) -> tuple[Actor, None] | None:
        actor = session_actor(request._request)
        if actor is None:
            return None
        if request.headers.get("X-Innkeeper-Identity", identity_of(actor)) != identity_of(actor):
            raise IdentityChangedError
        self.enforce_csrf(request)
        return actor, None


class BearerScheme(OpenApiAuthenticationExtension):
    """How the bearer token is described in OpenAPI."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API token, made under Profile → Tokens."}


class SessionScheme(OpenApiAuthenticationExtension):
    """How the session cookie is described in OpenAPI."""

    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
