"""How lists and their filters are described in OpenAPI."""

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers


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
