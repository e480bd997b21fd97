"""Admission: at most so many requests at once in the synchronous application, each in a thread of its own.

A request holds a database connection until its answer is complete, so this bounds the connections of a web
process. The threads stay, and with them their connections: a request pays for no connect.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from asgiref.sync import ThreadSensitiveContext
from django.db import close_old_connections

Answer = TypeVar("Answer")


class BusyError(Exception):
    """No slot became free in time."""


class Slots:
    """A fixed number of threads; the one used last is used next, so that few connections are kept warm."""

    def __init__(self, count: int, wait_s: float) -> None:
        self._wait_s = wait_s
        self._free: asyncio.LifoQueue[ThreadPoolExecutor] = asyncio.LifoQueue()
        for number in range(count):
            self._free.put_nowait(ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"slot-{number}"))

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[ThreadPoolExecutor]:
        try:
            async with asyncio.timeout(self._wait_s):
                thread = await self._free.get()
        except TimeoutError as error:
            raise BusyError from error
        try:
            yield thread
        finally:
            self._free.put_nowait(thread)

    @asynccontextmanager
    async def admit(self) -> AsyncIterator[None]:
        """Hold a slot: thread-sensitive work of Django in this context runs in the slot's thread.

        Raises:
            BusyError: no slot became free in time.
        """
        async with self._slot() as thread, ThreadSensitiveContext(executor=thread):
            yield

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """Return what ``work`` returns, called in a slot's thread; the connection is left clean.

        Raises:
            BusyError: no slot became free in time.
        """
        async with self._slot() as thread:
            return await asyncio.get_running_loop().run_in_executor(thread, _with_connection, work)


def _with_connection(work: Callable[[], Answer]) -> Answer:
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()
