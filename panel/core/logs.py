"""Structured logs: one JSON line an event, with the ids of the request, job and host that it belongs to.

Ids are bound to a context (``log_scope``) and are on every line until it ends, also on lines of libraries. A thread
begins with an empty context: ``carried`` gives it the caller's.
"""

import contextlib
import contextvars
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog

T = TypeVar("T")
# What is taken over from ``extra``.
FIELDS = ("action", "call", "code", "duration_ms", "job_id", "method", "outcome", "route", "status", "step")
_CUT = "(cut)"
# A last net: nobody passes a secret to a log, but libraries put paths, rows and headers into their messages.
_SECRETS = (
    (re.compile(r"(/accounts/password/reset/key/)[^\s\"'?]+"), rf"\1{_CUT}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._-]{8,}"), rf"\1 {_CUT}"),
    (re.compile(r"\b[A-Za-z0-9]{64}\b"), _CUT),  # tokens
    (re.compile(r"\$(?:6|5|y|2[aby])\$[A-Za-z0-9./$=,]{8,}"), _CUT),  # hashes of passwords
    (re.compile(r"\b(?:pbkdf2_sha256|argon2\w*|scrypt|md5)\$[^\s\"',)]+"), _CUT),
    (re.compile(r"(DETAIL:\s+Failing row contains ).*"), rf"\1{_CUT}"),
    (re.compile(r"(?i)((?:password|passwd|secret|token|user_data)[\"']?\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;)}]+)"),
     rf"\1{_CUT}"),
    (re.compile(r"([a-z]+://[^\s/:@]*:)[^\s/@]+@"), rf"\1{_CUT}@"),  # a password in a URL
)  # fmt: skip
_process = "manage"


def process_is(kind: str) -> None:
    """Say which of the panel's processes this one is: web, worker, builder or collector. Once, at its start.

    What nobody caught is from now on logged as one line, too.
    """
    global _process
    _process = kind
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: _uncaught((kind, error, trace))
    threading.excepthook = lambda args: _uncaught((args.exc_type, args.exc_value, args.exc_traceback))
    sys.unraisablehook = lambda args: _uncaught((args.exc_type, args.exc_value, args.exc_traceback))


def process_kind() -> str:
    """Return what ``process_is`` said, or "manage"."""
    return _process


def line_at_once(event: str, *_: object) -> None:
    """Write one line past all handlers: for a signal's handler, which may come in the middle of another line."""
    record = logging.LogRecord("panel", logging.INFO, __file__, 0, event, (), None)
    with contextlib.suppress(OSError):
        os.write(2, f"{json_formatter().format(record)}\n".encode())


def _uncaught(found: Any) -> None:
    if found[0] is not None and not issubclass(found[0], KeyboardInterrupt | SystemExit):
        logging.getLogger("panel").critical("uncaught exception", exc_info=found)


@contextmanager
def log_scope(**ids: Any) -> Iterator[None]:
    """Have these ids on every line of a block, and none of those from outside it; empty ones are left out."""
    before = structlog.contextvars.get_contextvars()
    structlog.contextvars.clear_contextvars()
    log_bind(**ids)
    try:
        yield
    finally:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**before)


def log_bind(**ids: Any) -> None:
    """Add ids to the present scope; empty ones are left out."""
    structlog.contextvars.bind_contextvars(**{name: str(value) for name, value in ids.items() if value})


def carried(call: Callable[[], T]) -> Callable[[], T]:
    """Return ``call`` to be made in another thread with this thread's ids."""
    context = contextvars.copy_context()
    return lambda: context.run(call)


def redacted(text: str) -> str:
    """Return a text without what looks like a secret in it."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def json_formatter() -> logging.Formatter:
    """Return the formatter of every handler."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=FIELDS),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _finish,
            structlog.processors.JSONRenderer(),  # ASCII: can be written anywhere, and is one line to everybody
        ],
    )


def _finish(_logger: Any, _name: str, event: Any) -> Any:
    """Name the process, and cut what looks like a secret."""
    shown = {name: redacted(value) if isinstance(value, str) else value for name, value in event.items()}
    return {**shown, "process": _process, "pid": os.getpid()}
