"""A caller of the panel's API over HTTP, as a program outside the panel would be."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from lab.processes import LabError

FINAL = ("success", "error", "cancelled")


@dataclass(frozen=True)
class Answer:
    """One response. ``body`` is its JSON, or its text when it is none."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Api:
    """The API with one token."""

    host: str
    port: int
    token: str = field(repr=False)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        timeout_s: float = 40,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Answer:
        """Send one request; ``path`` is below ``/api/v1``."""
        url = f"/api/v1{path}" + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **(headers or {})}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout_s)
        try:
            connection.request(method, url, body=content, headers=sent)
            response = connection.getresponse()
            text = response.read().decode()
            try:
                found = json.loads(text) if text else None
            except ValueError:
                found = text
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, found)
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Any:
        """Return the body of a GET that must succeed."""
        return self._must("GET", path, None, query)

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """Return the body of a POST that must succeed."""
        return self._must("POST", path, {} if body is None else body, query)

    def patch(self, path: str, body: Any) -> Any:
        """Return the body of a PATCH that must succeed."""
        return self._must("PATCH", path, body, {})

    def delete(self, path: str) -> Any:
        """Return the body of a DELETE that must succeed."""
        return self._must("DELETE", path, None, {})

    def job(self, job_id: str, *, timeout_s: float = 180) -> dict[str, Any]:
        """Wait for a job's end and return it. Raises: LabError."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            job: dict[str, Any] = self.get(f"/jobs/{job_id}", wait=10)
            if job["status"] in FINAL:
                return job
        raise LabError(f"job {job_id} did not end in {timeout_s} s: {job}")

    def done(self, accepted: dict[str, Any], *, timeout_s: float = 180) -> dict[str, Any]:
        """Wait until the job of an accepted request has succeeded; return it."""
        job = self.job(accepted["job"]["id"], timeout_s=timeout_s)
        if job["status"] != "success":
            raise LabError(f"{job['action']} ended in {job['status']}: {job.get('error')} at {job.get('step')}")
        return job

    def _must(self, method: str, path: str, body: Any, query: dict[str, Any]) -> Any:
        answer = self.call(method, path, body, **query)
        if answer.status >= 300:
            raise LabError(f"{method} {path}: {answer.status} {answer.body}")
        return answer.body
