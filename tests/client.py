"""A small API client for tests: what a caller with a token (or a browser's cookie) can do."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

API = "/api/v1"


class ApiUser:
    """Speaks to the API in process. Without ``token`` it is nobody, with ``cookies`` a browser."""

    def __init__(self, token: str | None = None, *, browser: Client | None = None) -> None:
        self.token = token
        self.browser = browser or Client()

    def call(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, **query: Any):
        """Send one request; ``path`` is below /api/v1, ``query`` its parameters, ``headers`` as HTTP has them."""
        url = f"{API}{path}"
        if query:
            url += f"?{urlencode({k: v for k, v in query.items() if v is not None})}"
        sent = dict(headers or {})
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.browser.generic(method, url, content, content_type="application/json", headers=sent)

    def get(self, path: str, **query: Any):
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any = None, **more: Any):
        return self.call("POST", path, {} if body is None else body, **more)

    def patch(self, path: str, body: Any, **more: Any):
        return self.call("PATCH", path, body, **more)

    def delete(self, path: str, **more: Any):
        return self.call("DELETE", path, **more)


def queries_of(call: Callable[[], object]) -> int:
    """Return how many queries a call costs."""
    with CaptureQueriesContext(connection) as seen:
        call()
    return len(seen)


def problem(response: Any, status: int, code: str, field: str | None = None) -> dict[str, Any]:
    """Assert that a response is this problem (RFC 9457), complete, and return its body."""
    assert response.status_code == status, (response.status_code, response.content[:500])
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert set(body) >= {"type", "title", "status", "code", "detail", "errors", "request_id"}
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    assert body["request_id"] == response["X-Request-Id"]
    if field is not None:
        assert field in [entry["field"] for entry in body["errors"]], body["errors"]
    return body
