"""`predict` over one long gRPC stream, for synchronous code."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from concurrent import futures
from typing import Any, Callable, Iterator, List, Optional

import grpc
from numpy.typing import ArrayLike

from certimix import _errors, _requests, _retries, _waiting
from certimix._answers import Answer
from certimix._enums import Priority
from certimix._retries import RetryPolicy
from certimix._tensors import checked_deadline
from certimix.v1 import mixed_classifier_pb2 as pb

OpenCall = Callable[[Iterator[pb.PredictStreamRequest], float], Any]


class PredictStream:
    """`predict` over one gRPC stream, which opens with the first request.

    If the stream ends (the server restarts, or the connection is too old), requests without an answer are sent again on a
    new stream within their own deadlines. Threads may share a `PredictStream`: up to 64 requests can be in progress.
    """

    def __init__(self, open_call: OpenCall, deadline: float, retry: RetryPolicy) -> None:
        self._open_call = open_call
        self._deadline = deadline
        self._retry = retry
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._stream: Optional[_Stream] = None
        self._closed = False

    @property
    def deadline(self) -> float:
        """The deadline in seconds of a request that names none."""
        return self._deadline

    def predict(
        self,
        input: ArrayLike,
        *,
        deadline: Optional[float] = None,
        components: bool = False,
        priority: Priority = Priority.UNSPECIFIED,
    ) -> Answer:
        """`Client.predict` over this stream. An answer that comes after the deadline is dropped."""
        request = _requests.predict(input, batch=False, components=components, priority=priority)
        return self._answers(request, deadline)[0]

    def predict_batch(
        self,
        inputs: ArrayLike,
        *,
        deadline: Optional[float] = None,
        components: bool = False,
        priority: Priority = Priority.UNSPECIFIED,
    ) -> List[Answer]:
        """`Client.predict_batch` over this stream."""
        request = _requests.predict(inputs, batch=True, components=components, priority=priority)
        return self._answers(request, deadline)

    def close(self) -> None:
        """Ends the stream. Requests in progress end with `UnavailableError`."""
        with self._lock:
            self._closed = True
            if self._stream is not None:
                self._stream.cancel()

    def __enter__(self) -> PredictStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answers(self, request: pb.PredictRequest, deadline: Optional[float]) -> List[Answer]:
        limit = checked_deadline(deadline, self._deadline)
        start = time.monotonic()

        def attempt(time_left: float) -> pb.PredictResponse:
            return self._current().request(next(self._ids), request, time_left)

        response = _retries.repeat(attempt, self._retry, start + limit, retry_unavailable=True)
        return _requests.answers(response, request.inputs.shape[0], limit, time.monotonic() - start)

    def _current(self) -> _Stream:
        """The open stream, or a new one."""
        with self._lock:
            if self._closed:
                raise _errors.CertimixError("the stream is closed")
            if self._stream is None or not self._stream.is_open():
                if self._stream is not None:
                    self._stream.cancel()
                self._stream = _Stream(self._open_call)
            return self._stream


class _Stream:
    """One gRPC stream: gRPC sends from a queue, and a thread hands each response to its waiter."""

    def __init__(self, open_call: OpenCall) -> None:
        self._lock = threading.Lock()
        self._waiting: _waiting.WaitingRequests[futures.Future[pb.PredictStreamResponse]] = _waiting.WaitingRequests()
        # `MAX_WAITING` bounds the queue too: each message in it has a waiter.
        self._requests: queue.SimpleQueue[Optional[pb.PredictStreamRequest]] = queue.SimpleQueue()
        self._call = open_call(iter(self._requests.get, None), _waiting.LIFETIME)
        threading.Thread(target=self._read, name="certimix-predict-stream", daemon=True).start()

    def is_open(self) -> bool:
        with self._lock:
            return self._waiting.is_open(time.monotonic())

    def request(self, correlation_id: int, request: pb.PredictRequest, time_left: float) -> pb.PredictResponse:
        """Sends a request, and waits for its answer for `time_left` seconds."""
        waiter: futures.Future[pb.PredictStreamResponse] = futures.Future()
        message = pb.PredictStreamRequest(
            request=request, timeout_us=max(1, int(time_left * 1e6)), correlation_id=correlation_id
        )
        with self._lock:
            self._waiting.add(correlation_id, waiter, time.monotonic() + time_left)
            self._requests.put(message)
        try:
            response = waiter.result(time_left)
        except futures.TimeoutError:
            raise _errors.DeadlineExceededError(f"no answer came within {time_left:.6g} s") from None
        return _waiting.outcome(response)

    def cancel(self) -> None:
        self._call.cancel()

    def _read(self) -> None:
        error: Optional[_errors.CertimixError] = None
        try:
            for response in self._call:
                with self._lock:
                    waiter = self._waiting.take(response)
                if waiter is not None:
                    waiter.set_result(response)
        except grpc.RpcError as failure:
            error = _errors.from_rpc(failure)
        finally:
            with self._lock:
                cause = _waiting.end_of_stream(error)
                waiters = self._waiting.close(cause)
            self._requests.put(None)
            for waiter in waiters:
                waiter.set_exception(cause)
