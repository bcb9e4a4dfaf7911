"""The load: callers that send Predicts at a fixed rate, and count the answers."""

from __future__ import annotations

import asyncio
import collections
import time
from typing import Any, Awaitable, Callable, Counter, List, Set

import certimix
import numpy

DEADLINE = 6.0
"""Seconds that a request may take. A request without an answer by then is lost."""
NO_RETRY = certimix.RetryPolicy(max_attempts=1)
INPUT = numpy.array([0.75, -0.75, -0.75, 0.0], dtype=numpy.float32)


class Load:
    """Callers with one channel each, of one kind.

    Requests are sent at their times, whether or not earlier ones have been answered: a replica that hangs slows no caller.
    """

    def __init__(self, kind: str, rate: float) -> None:
        self.kind = kind
        self.sent = 0
        self.answered = 0
        self.errors: Counter[str] = collections.Counter()
        self.slowest = 0.0
        """Seconds until the slowest answer."""
        self._rate = rate
        self._tasks: Set[asyncio.Task[None]] = set()

    @property
    def lost(self) -> int:
        """The requests that ended without an answer."""
        return sum(self.errors.values())

    @property
    def unanswered(self) -> int:
        """The requests in progress."""
        return self.sent - self.answered - self.lost

    async def run(self, calls: List[Callable[..., Awaitable[Any]]], stop: asyncio.Event) -> None:
        """Sends requests by the calls in turn until `stop`, and waits for the answers."""
        start = time.monotonic()
        while not stop.is_set():
            call = calls[self.sent % len(calls)]
            task = asyncio.create_task(self._request(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self.sent += 1
            await asyncio.sleep(max(0.0, start + self.sent / self._rate - time.monotonic()))
        await asyncio.gather(*self._tasks)

    async def _request(self, call: Callable[..., Awaitable[Any]]) -> None:
        start = time.monotonic()
        try:
            await call(INPUT, deadline=DEADLINE)
        except certimix.CertimixError as error:
            self.errors[f"{error.code.name if error.code else type(error).__name__}: {error.message[:60]}"] += 1
        else:
            self.answered += 1
            self.slowest = max(self.slowest, time.monotonic() - start)


class Loads:
    """The three kinds of callers at once: without retries, with the client's retries, and over PredictStreams."""

    def __init__(self, address: str) -> None:
        self.kinds = [Load("no retries", 50.0), Load("retries", 50.0), Load("PredictStream", 20.0)]
        self._address = address
        self._stop = asyncio.Event()
        self._clients: List[certimix.AsyncClient] = []
        self._streams: List[Any] = []
        self._running: List[asyncio.Task[None]] = []

    @property
    def unanswered(self) -> int:
        """The requests in progress of all callers."""
        return sum(load.unanswered for load in self.kinds)

    async def __aenter__(self) -> Loads:
        plain = [self._client(retry=NO_RETRY) for _ in range(2)]
        retrying = [self._client() for _ in range(2)]
        self._streams = [self._client().predict_stream() for _ in range(2)]
        for load, callers in zip(self.kinds, [plain, retrying, self._streams]):
            calls = [caller.predict for caller in callers]
            self._running.append(asyncio.create_task(load.run(calls, self._stop)))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        try:
            await asyncio.gather(*self._running)
        finally:
            for caller in [*self._streams, *self._clients]:
                await caller.close()

    def _client(self, **options: Any) -> certimix.AsyncClient:
        client = certimix.AsyncClient(self._address, **options)
        self._clients.append(client)
        return client
