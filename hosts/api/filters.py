"""Filters of lists, read from the query string; a value that cannot be is a 400 that names it."""

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request

from panel.core.errors import InvalidInputError


def text_of(request: Request, name: str, *, limit: int = 255) -> str | None:
    """Return a filter's text; None when it is not given or empty."""
    value = request.query_params.get(name) or None
    if value is not None and (len(value) > limit or "\0" in value or not value.isprintable()):
        raise InvalidInputError(fields={name: f"Use at most {limit} printable characters."})
    return value


def uuid_of(request: Request, name: str) -> UUID | None:
    """Return a filter's id; None when it is not given."""
    value = request.query_params.get(name)
    if value is None:
        return None
    try:
        return UUID(value)
    except ValueError:
        raise InvalidInputError(fields={name: "This is not an id."}) from None


def choice_of(request: Request, name: str, choices: Iterable[str]) -> str | None:
    """Return a filter's choice; None when it is not given."""
    value = request.query_params.get(name)
    allowed = list(choices)
    if value is not None and value not in allowed:
        raise InvalidInputError(fields={name: f"Choose one of: {', '.join(allowed)}."})
    return value


def bool_of(request: Request, name: str) -> bool | None:
    """Return a filter's truth; None when it is not given."""
    value = choice_of(request, name, ["true", "false"])
    return None if value is None else value == "true"


def parameter(
    name: str, description: str, *, enum: Iterable[str] | None = None, schema: type[str] | type[UUID] = str
) -> OpenApiParameter:
    """Describe a filter in OpenAPI."""
    choices = None if enum is None else list(enum)
    return OpenApiParameter(name, schema, description=description, enum=choices)


def sort_parameter(*keys: str, default: str) -> OpenApiParameter:
    """Describe ``sort`` in OpenAPI."""
    both = [text for key in keys for text in (key, f"-{key}")]
    return OpenApiParameter("sort", str, description=f"`-` reverses. Default `{default}`.", enum=both, default=default)


def page_of(shape: type[serializers.Serializer[Any]]) -> type[serializers.Serializer[Any]]:
    """Describe a page of a list in OpenAPI: ``{results, next}``."""
    name = shape.__name__.removesuffix("Out") + "Page"
    following = serializers.CharField(allow_null=True, help_text="`cursor` of the next page; null on the last.")
    described = inline_serializer(name, fields={"results": shape(many=True), "next": following})
    return cast(type[serializers.Serializer[Any]], described)
