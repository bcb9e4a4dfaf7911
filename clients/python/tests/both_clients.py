"""The asyncio client behind the interface of the synchronous one, so that one test holds for both."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, Tuple

import certimix

from support import PATIENCE

# One loop for all tests: gRPC polls in a thread of its own, which outlives a loop that ends.
LOOP = asyncio.new_event_loop()


class Blocking:
    """An asyncio object whose calls run in an event loop until they end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inner: Any) -> None:
        self._loop = loop
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._inner, name)
        if not callable(member):
            return member

        def call(*arguments: Any, **options: Any) -> Any:
            async def run() -> Any:
                result = member(*arguments, **options)
                if asyncio.iscoroutine(result):
                    return await asyncio.wait_for(result, PATIENCE)
                if hasattr(result, "__anext__"):
                    return [answer async for answer in result]
                return Blocking(self._loop, result)

            return self._loop.run_until_complete(run())

        return call

    def __enter__(self) -> Blocking:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _asynchronous(*arguments: Any, **options: Any) -> Iterator[Any]:
    async def create() -> certimix.AsyncClient:
        return certimix.AsyncClient(*arguments, **options)

    with Blocking(LOOP, LOOP.run_until_complete(create())) as client:
        yield client


@contextmanager
def _synchronous(*arguments: Any, **options: Any) -> Iterator[Any]:
    with certimix.Client(*arguments, **options) as client:
        yield client


CLIENTS: List[Tuple[str, Callable[..., Any]]] = [("Client", _synchronous), ("AsyncClient", _asynchronous)]
"""Both clients with their names: each is a context manager with the arguments of `certimix.Client`."""
