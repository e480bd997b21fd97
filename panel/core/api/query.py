"""Reading filters from the query string; what cannot be read is refused, naming the parameter."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from panel.core.errors import InvalidInputError

MAX_TEXT = 200
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def text_param(request: Request, name: str) -> str | None:
    """Return a parameter's text without spaces around, None when absent or empty."""
    value = request.query_params.get(name, "").strip()
    if len(value) > MAX_TEXT or "\x00" in value:
        raise InvalidInputError(fields={name: f"Use at most {MAX_TEXT} characters of text."})
    return value or None


def uuid_param(request: Request, name: str) -> UUID | None:
    """Return a parameter as a UUID."""
    value = text_param(request, name)
    if value is None:
        return None
    try:
        return UUID(value)
    except ValueError as error:
        raise InvalidInputError(fields={name: "This is not an id (UUID)."}) from error


def choice_param(request: Request, name: str, choices: Iterable[str]) -> str | None:
    """Return a parameter that is one of ``choices``."""
    value, allowed = text_param(request, name), list(choices)
    if value is not None and value not in allowed:
        raise InvalidInputError(fields={name: f"Use one of: {', '.join(allowed)}."})
    return value


def time_param(request: Request, name: str) -> datetime | None:
    """Return a parameter as an aware time (ISO 8601; without a zone it is UTC)."""
    value = text_param(request, name)
    if value is None:
        return None
    try:
        at = parse_datetime(value.replace(" ", "+"))  # a plus sign that was not escaped
    except ValueError:
        at = None
    if at is None:
        raise InvalidInputError(fields={name: "Use a time such as 2026-01-31T12:00:00Z."})
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def bool_param(request: Request, name: str) -> bool | None:
    """Return a parameter as true or false; it may be written 1 or 0. None when absent."""
    if name not in request.query_params:
        return None
    value = request.query_params[name]
    if value not in _TRUTHS:
        raise InvalidInputError(fields={name: "Use true or false."})
    return _TRUTHS[value]


def known_params(request: Request, *names: str) -> None:
    """Refuse parameters other than these: one that is misspelt must not count as absent."""
    if unknown := sorted(set(request.query_params) - set(names)):
        raise InvalidInputError(fields=dict.fromkeys(unknown, "There is no such parameter here."))
