"""Many requests at once: HTTP/1.1 over asyncio, where hundreds of open ones cost nothing, and threads."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

from django.db import connections


@dataclass
class Opened:
    """An answer whose head has come; ``reader`` gives the rest."""

    status: int
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def body(self) -> bytes:
        """Return the whole body (chunked or of known length)."""
        if "content-length" in self.headers:
            return await self.reader.readexactly(int(self.headers["content-length"]))
        parts = []
        while chunk := await self.chunk():
            parts.append(chunk)
        return b"".join(parts)

    async def chunk(self) -> bytes:
        """Return the next chunk, empty at the end."""
        size = int(await self.reader.readline() or b"0", 16)
        data = await self.reader.readexactly(size)
        await self.reader.readline()
        return data

    async def json(self) -> Any:
        """Return the body's JSON."""
        return json.loads(await self.body())

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


async def request(
    port: int, path: str, token: str = "", *, method: str = "GET", body: bytes = b"", key: str = ""
) -> Opened:
    """Send a request to the API and return the answer as soon as its head is there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if key:
        lines.append(f"Idempotency-Key: {key}")
    if body:
        lines.append("Content-Type: application/json")
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()
    status = int((await reader.readline()).split()[1])
    headers = {}
    while line := (await reader.readline()).strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return Opened(status, headers, reader, writer)


async def answer(port: int, path: str, token: str = "", **more: Any) -> tuple[int, Any]:
    """Return status and JSON of one request."""
    opened = await request(port, path, token, **more)
    try:
        return opened.status, await opened.json()
    finally:
        opened.close()


def at_once(times: int, call: Callable[[int], Any], *, threads: int | None = None) -> list[Any]:
    """Return call(0), call(1), …, begun at the same moment in ``threads`` threads, each with its own connection."""
    threads = min(threads or times, times)
    gate = Barrier(threads)

    def one(number: int) -> Any:
        try:
            if number < threads:
                gate.wait(timeout=60)
            return call(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(times)))
