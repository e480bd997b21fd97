"""Keyset paging: no offsets, no totals; page 1,000 costs what page 1 costs."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.core import signing
from django.db.models import Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from panel.core.api.query import known_params
from panel.core.errors import CursorMismatchError, InvalidInputError

DEFAULT_LIMIT, MAX_LIMIT = 50, 1000
_OWN = {"limit", "cursor", "sort"}
_SALT = "innkeeper.cursor"


def page(
    request: Request,
    rows: QuerySet[Any],
    *,
    show: Callable[[Any], Any],
    sorts: Mapping[str, str],
    default: str = "-created_at",
    prepare: Callable[[list[Any]], list[Any]] | None = None,
    filters: Collection[str],
) -> Response:
    """Return one page ``{results, next}`` of ``rows``.

    ``sorts`` maps the API's sort keys to model fields, each served by an index on (field, id);
    ``?sort=-name`` reverses. ``prepare`` may fetch more for the rows of the page. ``filters`` names the list's
    own parameters; any other is refused: a filter misspelt must not return everything.

    Raises:
        InvalidInputError: bad ``limit`` or ``sort``, or an unknown parameter.
        CursorMismatchError: the cursor is of another list, sort or filter, or was tampered with.
    """
    known_params(request, *filters, *_OWN)
    limit = _limit(request)
    sort = request.query_params.get("sort", default)
    field = sorts.get(sort.lstrip("-"))
    if field is None or sort.startswith("--"):
        raise InvalidInputError(fields={"sort": f"Sort by one of: {', '.join(sorted(sorts))}."})
    down = sort.startswith("-")
    binding = _binding(request, sort)
    rows = rows.order_by(("-" if down else "") + field, "-id" if down else "id")
    if cursor := request.query_params.get("cursor"):
        rows = rows.filter(_after(cursor, field, down, binding))
    found = list(rows[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    following = _cursor(found[-1], field, binding) if more else None
    if prepare:
        found = prepare(found)
    return Response({"results": [show(row) for row in found], "next": following})


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        raise InvalidInputError(fields={"limit": f"Use a number from 1 to {MAX_LIMIT}."})
    return int(text)


def _binding(request: Request, sort: str) -> str:
    filters = sorted((k, v) for k, v in request.query_params.items() if k not in ("cursor", "limit", "sort"))
    return hashlib.sha256(json.dumps([request.path, sort, filters]).encode()).hexdigest()[:16]


def _cursor(row: Any, field: str, binding: str) -> str:
    value = getattr(row, field)
    text = value.isoformat() if hasattr(value, "isoformat") else value
    return signing.dumps([binding, text, str(row.id)], salt=_SALT, compress=False)


def _after(cursor: str, field: str, down: bool, binding: str) -> Q:
    try:
        bound, value, pk = signing.loads(cursor, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise CursorMismatchError(fields={"cursor": "The cursor is not valid."}) from error
    if bound != binding:
        raise CursorMismatchError(fields={"cursor": "The cursor does not belong to this list, sort and filter."})
    side = "lt" if down else "gt"
    # Written so that PostgreSQL can start the index scan at the first bound.
    return Q(**{f"{field}__{side}e": value}) & (Q(**{f"{field}__{side}": value}) | Q(**{f"id__{side}": pk}))
