"""Reading a request's body: JSON in UTF-8, of bounded size and depth."""

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 32


class BodyTooLarge(APIException):
    """The body is larger than any request of this API has to be."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"A request's body has at most {MAX_BYTES // 1024} KiB."
    default_code = "body_too_large"


class BoundedJsonParser(BaseParser):
    """Parses JSON (RFC 8259: no NaN, no Infinity) without ever reading or descending further than it should."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return what the body says.

        Raises:
            BodyTooLarge: it is longer than ``MAX_BYTES``.
            ParseError: it is not JSON, or nested deeper than ``MAX_DEPTH``.
        """
        body = stream.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise BodyTooLarge
        try:
            value = json.loads(body.decode("utf-8"), parse_constant=_refuse)
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {error}") from error
        if _deeper_than(value, MAX_DEPTH):
            raise ParseError("The body is nested too deeply.")
        return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [
            inner
            for item in level
            if isinstance(item, list | dict)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
