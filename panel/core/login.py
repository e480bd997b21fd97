"""Signing in: no self-service accounts, audit of every try."""

from typing import Any

from allauth.account import signals
from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from panel.core.actors import Actor, ActorKind, person
from panel.core.audit import audit_record
from panel.core.middleware import client_address, client_network
from panel.core.models import User

THROTTLED_S = 300  # as long as a failure counts (ACCOUNT_RATE_LIMITS): one entry of the trail for each window


class AccountAdapter(DefaultAccountAdapter):
    """allauth's rules, ours: accounts are made by staff or owners."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that throttles count by; the same that the audit trail names."""
        return client_address(request) or "0.0.0.0"  # noqa: S104 - a key of a counter

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Return what failures are counted by: a user at an address, so that nobody locks out others elsewhere."""
        return f"{_label(credentials).lower()} {client_network(request)}"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            if cache.add(f"innkeeper:throttled:{client_network(request)}", True, THROTTLED_S):
                _refused(request, credentials, "user.login-throttled")
            raise

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send nothing: links are handed over by staff until mail is set up."""


def connect() -> None:
    """Listen to Django's login signals."""
    user_logged_in.connect(_logged_in, dispatch_uid="innkeeper.logged_in")
    user_logged_out.connect(_logged_out, dispatch_uid="innkeeper.logged_out")
    user_login_failed.connect(_login_failed, dispatch_uid="innkeeper.login_failed")
    for signal in (signals.password_set, signals.password_changed, signals.password_reset):
        signal.connect(_password_changed, dispatch_uid="innkeeper.password_changed")


def _who(user: User, request: HttpRequest | None) -> Actor:
    address = client_address(request) if request else None
    return person(user, address=address, request_id=getattr(request, "request_id", ""))


def _logged_in(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    _of_user(user, request, "user.logged-in")


def _logged_out(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        _of_user(user, request, "user.logged-out")


def _password_changed(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    _of_user(user, request, "user.password-changed")


def _of_user(user: User, request: HttpRequest, action: str) -> None:
    actor = _who(user, request)
    audit_record(actor=actor, action=action, object_type="user", object_id=user.pk, object_label=user.email)


def _login_failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    _refused(request, credentials, "user.login")


def _refused(request: HttpRequest | None, credentials: dict[str, Any], action: str) -> None:
    label = _label(credentials)
    actor = Actor(
        kind=ActorKind.PERSON,
        label=label,
        address=client_address(request) if request else None,
        request_id=getattr(request, "request_id", ""),
    )
    audit_record(actor=actor, action=action, outcome="refused", object_type="user", object_label=label)


def _label(credentials: dict[str, Any]) -> str:
    return str(credentials.get("email") or credentials.get("username") or "")[:254]
