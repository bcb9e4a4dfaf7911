"""The requests of a PredictStream that wait for their answers: what the sync and the asyncio stream share."""

from __future__ import annotations

from typing import Dict, Generic, List, Optional, Tuple, TypeVar

import grpc

from certimix._errors import (
    CertimixError,
    MalformedAnswerError,
    ResourceExhaustedError,
    UnavailableError,
    from_request_error,
)
from certimix.v1 import mixed_classifier_pb2 as pb

MAX_WAITING = 64
"""The most requests of one stream without an answer."""
LIFETIME = 3600.0
"""The deadline in seconds of one gRPC stream. The next request opens another one."""
_GRACE = 1.0
"""Seconds after its deadline in which a request must have an answer or an error. A server that works sends one."""
_RETRY_AFTER = 0.005

Waiter = TypeVar("Waiter")


class WaitingRequests(Generic[Waiter]):
    """The waiters of one gRPC stream by their correlation id, oldest first. It needs a lock of its owner."""

    def __init__(self) -> None:
        self._entries: Dict[int, Tuple[Waiter, float]] = {}
        self._error: Optional[CertimixError] = None
        self._is_unavailable = False

    def is_open(self, now: float) -> bool:
        """Whether the stream takes requests: it has not ended, and its server still answers, and not that it cannot."""
        oldest = next(iter(self._entries.values()), None)
        return self._error is None and not self._is_unavailable and (oldest is None or now < oldest[1] + _GRACE)

    def add(self, correlation_id: int, waiter: Waiter, end: float) -> None:
        """Adds a request that waits until `end`."""
        if self._error is not None:
            raise self._error
        if len(self._entries) >= MAX_WAITING:
            raise ResourceExhaustedError(
                f"{MAX_WAITING} requests of this stream wait for their answers", retry_after=_RETRY_AFTER
            )
        self._entries[correlation_id] = (waiter, end)

    def take(self, response: pb.PredictStreamResponse) -> Optional[Waiter]:
        """Removes the waiter of an answer.

        A server that says UNAVAILABLE may say so for long. Another stream can lead to another server behind a load balancer.
        """
        if response.error.code == grpc.StatusCode.UNAVAILABLE.value[0]:
            self._is_unavailable = True
        entry = self._entries.pop(response.correlation_id, None)
        return entry[0] if entry else None

    def close(self, error: CertimixError) -> List[Waiter]:
        """Ends the stream, and removes the waiters whose error this is."""
        self._error = self._error or error
        waiters = [waiter for waiter, _ in self._entries.values()]
        self._entries.clear()
        return waiters


def end_of_stream(error: Optional[CertimixError]) -> CertimixError:
    """The error of the requests that a stream leaves without an answer."""
    ends = (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)
    if error is None or error.code in ends:
        # The end of the stream's own deadline says nothing about the request, which another stream answers.
        return UnavailableError("the stream ended before the answer")
    return error


def outcome(response: pb.PredictStreamResponse) -> pb.PredictResponse:
    """The answer of one request; raises its error."""
    if response.WhichOneof("outcome") == "response":
        return response.response
    if response.WhichOneof("outcome") == "error":
        raise from_request_error(response.error)
    raise MalformedAnswerError("the answer holds neither a response nor an error")
