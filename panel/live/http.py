"""Speaking ASGI: whole answers, and bodies read before a slot is taken."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from panel.core.metrics import HTTP_REFUSED
from panel.core.middleware import plain_request_id

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

MAX_BODY_BYTES = 4 * 1024 * 1024
BODY_DEADLINE_S = 30.0


class TooLargeError(Exception):
    """The request's body is larger than anything the panel accepts."""


class DisconnectedError(Exception):
    """The caller went away."""


async def read_body(receive: Receive) -> bytes:
    """Return the request's body, so that a slow caller holds no slot.

    Raises:
        TooLargeError: more than MAX_BODY_BYTES.
        TimeoutError: it did not come within BODY_DEADLINE_S.
        DisconnectedError: the caller went away.
    """
    body = bytearray()
    async with asyncio.timeout(BODY_DEADLINE_S):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            body += message.get("body", b"")
            if len(body) > MAX_BODY_BYTES:
                raise TooLargeError
            if not message.get("more_body", False):
                return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives ``body`` first and then what the server says."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send one whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse(scope: Scope, send: Send, *, status: int, code: str, detail: str, retry_after_s: int = 0) -> None:
    """Answer without Django: problem+json for the API, a plain sentence for people."""
    given = dict(scope.get("headers", ())).get(b"x-request-id", b"")
    request_id = plain_request_id(given.decode("latin-1"))
    HTTP_REFUSED.labels(code).inc()
    headers: Headers = [(b"x-request-id", request_id.encode()), (b"cache-control", b"no-store")]
    if retry_after_s:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    if scope["path"].startswith("/api/"):
        headers.append((b"content-type", b"application/problem+json"))
        title = detail.split(".", 1)[0]
        body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
        content = json.dumps({**body, "errors": [], "request_id": request_id}).encode()
    else:
        headers.append((b"content-type", b"text/plain; charset=utf-8"))
        content = detail.encode()
    await respond(send, status, headers, content)
