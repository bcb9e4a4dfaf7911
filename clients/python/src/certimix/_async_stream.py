"""`predict` over one long gRPC stream, for asyncio."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any, Callable, List, Optional

import grpc
from numpy.typing import ArrayLike

from certimix import _errors, _requests, _retries, _waiting
from certimix._answers import Answer
from certimix._enums import Priority
from certimix._retries import RetryPolicy
from certimix._tensors import checked_deadline
from certimix.v1 import mixed_classifier_pb2 as pb

OpenCall = Callable[[float], Any]


class AsyncPredictStream:
    """`predict` over one gRPC stream, which opens with the first request.

    If the stream ends (the server restarts, or the connection is too old), requests without an answer are sent again on a
    new stream within their own deadlines. Tasks may share it: up to 64 requests can be in progress.
    """

    def __init__(self, open_call: OpenCall, deadline: float, retry: RetryPolicy) -> None:
        self._open_call = open_call
        self._deadline = deadline
        self._retry = retry
        self._ids = itertools.count(1)
        self._stream: Optional[_Stream] = None
        self._closed = False

    @property
    def deadline(self) -> float:
        """The deadline in seconds of a request that names none."""
        return self._deadline

    async def predict(
        self,
        input: ArrayLike,
        *,
        deadline: Optional[float] = None,
        components: bool = False,
        priority: Priority = Priority.UNSPECIFIED,
    ) -> Answer:
        """`AsyncClient.predict` over this stream. An answer that comes after the deadline is dropped."""
        request = _requests.predict(input, batch=False, components=components, priority=priority)
        return (await self._answers(request, deadline))[0]

    async def predict_batch(
        self,
        inputs: ArrayLike,
        *,
        deadline: Optional[float] = None,
        components: bool = False,
        priority: Priority = Priority.UNSPECIFIED,
    ) -> List[Answer]:
        """`AsyncClient.predict_batch` over this stream."""
        request = _requests.predict(inputs, batch=True, components=components, priority=priority)
        return await self._answers(request, deadline)

    async def close(self) -> None:
        """Ends the stream. Requests in progress end with an error."""
        self._closed = True
        if self._stream is not None:
            await self._stream.cancel()

    async def __aenter__(self) -> AsyncPredictStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _answers(self, request: pb.PredictRequest, deadline: Optional[float]) -> List[Answer]:
        limit = checked_deadline(deadline, self._deadline)
        start = time.monotonic()

        async def attempt(time_left: float) -> pb.PredictResponse:
            stream = self._current()
            return await stream.request(next(self._ids), request, time_left)

        response = await _retries.repeat_async(attempt, self._retry, start + limit, retry_unavailable=True)
        return _requests.answers(response, request.inputs.shape[0], limit, time.monotonic() - start)

    def _current(self) -> _Stream:
        """The open stream, or a new one."""
        if self._closed:
            raise _errors.CertimixError("the stream is closed")
        if self._stream is None or not self._stream.is_open():
            if self._stream is not None:
                self._stream.abandon()
            self._stream = _Stream(self._open_call(_waiting.LIFETIME))
        return self._stream


class _Stream:
    """One gRPC stream: a task sends from a queue, and another one hands each response to its waiter."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._waiting: _waiting.WaitingRequests[asyncio.Future[pb.PredictStreamResponse]] = _waiting.WaitingRequests()
        # `MAX_WAITING` bounds the queue too: each message in it has a waiter.
        self._requests: asyncio.Queue[pb.PredictStreamRequest] = asyncio.Queue()
        self._writer = asyncio.ensure_future(self._write())
        self._reader = asyncio.ensure_future(self._read())

    def is_open(self) -> bool:
        return self._waiting.is_open(time.monotonic())

    async def request(self, correlation_id: int, request: pb.PredictRequest, time_left: float) -> pb.PredictResponse:
        """Sends a request, and waits for its answer for `time_left` seconds."""
        waiter: asyncio.Future[pb.PredictStreamResponse] = asyncio.get_running_loop().create_future()
        message = pb.PredictStreamRequest(
            request=request, timeout_us=max(1, int(time_left * 1e6)), correlation_id=correlation_id
        )
        self._waiting.add(correlation_id, waiter, time.monotonic() + time_left)
        self._requests.put_nowait(message)
        try:
            response = await asyncio.wait_for(waiter, time_left)
        except asyncio.TimeoutError:
            raise _errors.DeadlineExceededError(f"no answer came within {time_left:.6g} s") from None
        return _waiting.outcome(response)

    def abandon(self) -> None:
        """Ends the stream without waiting for its tasks."""
        self._call.cancel()

    async def cancel(self) -> None:
        """Ends the stream and its tasks."""
        self._call.cancel()
        await asyncio.wait([self._reader, self._writer])

    async def _write(self) -> None:
        try:
            while True:
                await self._call.write(await self._requests.get())
        except (grpc.RpcError, asyncio.InvalidStateError):
            # The reader reports why the stream ended.
            return

    async def _read(self) -> None:
        error: Optional[_errors.CertimixError] = None
        try:
            while True:
                response = await self._call.read()
                if response is grpc.aio.EOF:
                    break
                waiter = self._waiting.take(response)
                if waiter is not None and not waiter.done():
                    waiter.set_result(response)
        except grpc.RpcError as failure:
            error = _errors.from_rpc(failure)
        except asyncio.CancelledError:
            # gRPC raises this also if the call itself was cancelled.
            pass
        finally:
            self._writer.cancel()
            cause = _waiting.end_of_stream(error)
            for waiter in self._waiting.close(cause):
                if not waiter.done():
                    waiter.set_exception(cause)
