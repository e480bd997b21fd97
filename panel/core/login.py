"""Signing in: no self-service accounts, audit of every try."""

from typing import Any

from allauth.account import signals
from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from panel.core.actors import Actor, ActorKind, person
from panel.core.audit import audit_record
from panel.core.middleware import client_address
from panel.core.models import User


class AccountAdapter(DefaultAccountAdapter):
    """allauth's rules, ours: accounts are made by staff or owners."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that throttles count by; the same that the audit trail names."""
        return client_address(request) or "0.0.0.0"  # noqa: S104 - a key of a counter

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
    audit_record(actor=_who(user, request), action="user.logged-in", object_type="user", object_id=user.pk)


def _logged_out(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        audit_record(actor=_who(user, request), action="user.logged-out", object_type="user", object_id=user.pk)


def _password_changed(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    actor = _who(user, request)
    audit_record(
        actor=actor, action="user.password-changed", object_type="user", object_id=user.pk, object_label=user.email
    )


def _login_failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    label = str(credentials.get("email") or credentials.get("username") or "")[:254]
    actor = Actor(
        kind=ActorKind.PERSON,
        label=label,
        address=client_address(request) if request else None,
        request_id=getattr(request, "request_id", ""),
    )
    audit_record(actor=actor, action="user.login", outcome="refused", object_type="user", object_label=label)
