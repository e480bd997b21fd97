"""What goes over the socket: values as JSON, one object a line, and errors by their code.

A value's type is never on the wire; both sides know it from annotations. Bytes are base64.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from panel.core.errors import (
    CapabilityError,
    DomainNotFoundError,
    DriverError,
    HostTimeoutError,
    HostUnreachableError,
    LeftoversError,
    PanelError,
    StorageFullError,
    StorageReadOnlyError,
    VolumeNotFoundError,
)

ERRORS: dict[str, type[DriverError]] = {
    error.code: error
    for error in (
        DriverError,
        DomainNotFoundError,
        VolumeNotFoundError,
        CapabilityError,
        StorageFullError,
        StorageReadOnlyError,
        HostUnreachableError,
        HostTimeoutError,
        LeftoversError,
    )
}


def encode(value: Any) -> Any:
    """Return ``value`` as JSON types. Dataclasses become objects, tuples and sets lists."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, UUID | Path):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(key): encode(entry) for key, entry in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: encode(getattr(value, name)) for name in _field_names(type(value))}
    return [encode(entry) for entry in value]


def decode(kind: Any, value: Any) -> Any:
    """Return what ``encode`` was given, ``kind`` being the value's annotation."""
    return _decoder(kind)(value)


def encode_line(message: dict[str, Any]) -> bytes:
    """Return one message as a line."""
    return json.dumps(message, separators=(",", ":")).encode("utf-8") + b"\n"


def decode_line(line: bytes | bytearray) -> dict[str, Any]:
    """Return the message of one line."""
    message: dict[str, Any] = json.loads(line)
    return message


def encode_error(error: PanelError) -> dict[str, str]:
    """Return an error as its code and its two texts."""
    return {"code": error.code, "message": str(error), "detail": error.detail}


def decode_error(error: dict[str, str]) -> DriverError:
    """Return the error that ``encode_error`` was given; of a foreign class, a plain ``DriverError``."""
    return ERRORS.get(error["code"], DriverError)(error["message"], detail=error["detail"])


@lru_cache(maxsize=256)
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(kind))


@lru_cache(maxsize=256)
def _decoder(kind: Any) -> Callable[[Any], Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _optional(_decoder(next(entry for entry in arguments if entry is not NoneType)))
    if origin in (tuple, list, set):
        return _sequence(origin, _decoder(arguments[0]))
    if origin is dict:
        return _mapping(_decoder(arguments[0]), _decoder(arguments[1]))
    if kind is bytes:
        return base64.b64decode
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, UUID | Path | Enum):
        return kind
    return _same


def _same(value: Any) -> Any:
    return value


def _optional(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else inner(value)


def _sequence(outer: Callable[[Any], Any], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: outer(inner(entry) for entry in value)


def _mapping(key: Callable[[Any], Any], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: {key(name): inner(entry) for name, entry in value.items()}


def _dataclass(kind: type) -> Callable[[Any], Any]:
    """Decode a dataclass; fields that are not in the message keep their defaults."""
    decoders: dict[str, Callable[[Any], Any]] = {}
    hints = get_type_hints(kind)
    for entry in fields(kind):
        decoders[entry.name] = _decoder(hints[entry.name])

    def build(value: dict[str, Any]) -> Any:
        return kind(**{name: decoders[name](entry) for name, entry in value.items()})

    return build
