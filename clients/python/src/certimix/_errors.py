"""The errors of calls: one class for each kind that a caller treats differently.

The name of a class is that of its gRPC code.
"""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple, Optional, Tuple, Type, Union

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

Metadata = Iterable[Tuple[str, Union[str, bytes]]]


class FieldViolation(NamedTuple):
    """One wrong field of a request, such as `inputs.shape`."""

    field: str
    description: str
    """The expected value and the value found."""


class CertimixError(Exception):
    """A call without an answer."""

    def __init__(
        self,
        message: str,
        *,
        code: Optional[grpc.StatusCode] = None,
        violations: Iterable[FieldViolation] = (),
        retry_after: Optional[float] = None,
        request_id: Optional[str] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """The gRPC code; `None` if the client itself found the error."""
        self.violations = tuple(violations)
        """Every wrong field of the request. Set for `InvalidArgumentError`."""
        self.retry_after = retry_after
        """The time in seconds that the server asks the caller to wait before a retry; `None` if a retry is of no use."""
        self.request_id = request_id
        """The `x-request-id` under which the server logs the call."""

    def __str__(self) -> str:
        name = f"{self.code.name}: " if self.code else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{name}{self.message}{request}"


class InvalidArgumentError(CertimixError, ValueError):
    """The request is wrong, and fails again. `violations` names every wrong field."""


class UnauthenticatedError(CertimixError):
    """The server requires a token, and the call has none that it knows."""


class DeadlineExceededError(CertimixError, TimeoutError):
    """There was no answer within the deadline, or the server cannot answer within so short a deadline."""


class ResourceExhaustedError(CertimixError):
    """The server refused the call: it has no room now (`retry_after` is set), or the message is too large (`None`)."""


class UnavailableError(CertimixError, ConnectionError):
    """The server cannot be reached, or loads, or stops, or the connection broke before the answer."""

    was_reset = False
    """Whether the connection broke after the call began. gRPC does not repeat such a call by itself."""


class InternalError(CertimixError):
    """A model or the server failed on this call."""


class MalformedAnswerError(CertimixError):
    """The answer contradicts itself, such as a certificate with a radius of NaN. It certifies nothing."""


_CLASSES: dict[grpc.StatusCode, Type[CertimixError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.INTERNAL: InternalError,
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def invalid(field: str, description: str) -> InvalidArgumentError:
    """The error of an argument that the client does not send."""
    return InvalidArgumentError(f"{field}: {description}", violations=[FieldViolation(field, description)])


# What gRPC says of a stream that the other side of the connection reset: the server or a proxy died, or the proxy gave up.
# The second text is that of asyncio, if it notices the end while it sends.
_RESET_TEXTS = ("RST_STREAM", "Internal error from Core")


def from_rpc(error: Any) -> CertimixError:
    """The error of a call that failed with a `grpc.RpcError`, which is also the call."""
    trailing: Metadata = error.trailing_metadata() or ()
    details = error.details() or ""
    if (
        error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
        and any(text in details for text in _RESET_TEXTS)
        # The server's own errors have the id of the request.
        and "x-request-id" not in dict(trailing)
    ):
        reset = UnavailableError(f"the connection broke: {details}", code=grpc.StatusCode.UNAVAILABLE)
        reset.was_reset = True
        return reset
    initial: Metadata = error.initial_metadata() or ()
    found = _from_status(error.code(), details, [*initial, *trailing])
    if isinstance(found, DeadlineExceededError) and found.request_id is None:
        # gRPC gave up by itself, perhaps while it waited to repeat a call that found no server.
        found.message = "no answer came within the deadline: the server is slow, or cannot be reached"
    return found


def _from_status(code: grpc.StatusCode, message: str, metadata: Metadata) -> CertimixError:
    values = dict(metadata)
    request_id = values.get("x-request-id")
    details = values.get("grpc-status-details-bin", b"")
    violations: list[FieldViolation] = []
    retry_after = None
    for detail in _details(details if isinstance(details, bytes) else b""):
        bad_request, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(bad_request):
            violations += [FieldViolation(each.field, each.description) for each in bad_request.field_violations]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return _CLASSES.get(code, CertimixError)(
        message,
        code=code,
        violations=violations,
        retry_after=retry_after,
        request_id=request_id if isinstance(request_id, str) else None,
    )


def _details(serialized: bytes) -> Iterable[Any]:
    status = status_pb2.Status()
    try:
        status.ParseFromString(serialized)
    except DecodeError:
        return []
    return list(status.details)


def from_request_error(error: Any) -> CertimixError:
    """The error of one request of a PredictStream, from its `RequestError`."""
    code = _CODES.get(error.code, grpc.StatusCode.UNKNOWN)
    return _CLASSES.get(code, CertimixError)(
        error.message,
        code=code,
        violations=[FieldViolation(each.field, each.description) for each in error.violations],
        retry_after=error.retry_after_ms / 1000 if error.retry_after_ms else None,
    )
