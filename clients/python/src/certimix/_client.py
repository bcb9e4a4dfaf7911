"""The client for synchronous code."""

from __future__ import annotations

import time
from typing import Any, Iterator, List, Optional

import grpc
from numpy.typing import ArrayLike

from certimix import _errors, _reports, _requests, _retries
from certimix._answers import Answer
from certimix._client_base import ClientBase
from certimix._enums import BoundMethod, Priority
from certimix._reports import ServerInfo, ShadowReport
from certimix._stream import PredictStream
from certimix._tensors import checked_deadline
from certimix.v1 import mixed_classifier_pb2 as pb


class Client(ClientBase):
    """A client of one server, or of several equal ones. Threads may share it.

    `address` is `unix:///PATH`, `HOST:PORT` or `http://HOST:PORT` without encryption, or `https://HOST:PORT`. With
    `dns:///NAME:PORT`, `ipv4:ADDRESS:PORT,ADDRESS:PORT` or `ipv6:[ADDRESS]:PORT,[ADDRESS]:PORT` the calls go to every healthy
    server in turn, encrypted if there is an option of TLS. `tls_ca` is the authority that signed the server's certificate
    (by default gRPC's own list), `tls_certificate` and `tls_key` are the client's own, all PEM files. The first line of
    `token_file` is the bearer token; it is read for each call. `compression=grpc.Compression.Gzip` compresses requests, if
    the server accepts it.

    Every call has a deadline in seconds: its own, or `deadline` of the client. Calls are repeated within it by `retry`.
    The client connects with the first call, and again whenever the connection is lost.
    """

    _grpc = grpc

    def predict(
        self,
        input: ArrayLike,
        *,
        deadline: Optional[float] = None,
        components: bool = False,
        priority: Priority = Priority.UNSPECIFIED,
    ) -> Answer:
        """Classifies one input of the model's shape, and certifies it towards the operator's target radius.

        `input` is an array of uint8 (byte u is the float u / 255) or float32. `components` asks for the probabilities of
        both models too. Raises `CertimixError`.
        """
        request = _requests.predict(input, batch=False, components=components, priority=priority)
        return self._answers(self._predict, request, deadline)[0]

    def predict_batch(
        self,
        inputs: ArrayLike,
        *,
        deadline: Optional[float] = None,
        components: bool = False,
        priority: Priority = Priority.UNSPECIFIED,
    ) -> List[Answer]:
        """`predict` for N inputs, an array of the shape [N, ...]. The answers are in the order of the inputs."""
        request = _requests.predict(inputs, batch=True, components=components, priority=priority)
        return self._answers(self._predict, request, deadline)

    def certify(
        self,
        input: ArrayLike,
        *,
        target_radius: Optional[float] = None,
        votes: Optional[int] = None,
        failure_probability: Optional[float] = None,
        bound: BoundMethod = BoundMethod.UNSPECIFIED,
        deadline: Optional[float] = None,
        components: bool = False,
        priority: Priority = Priority.UNSPECIFIED,
    ) -> Answer:
        """`predict` with the caller's own target radius, vote budget and failure probability.

        If the deadline comes first, the server answers shortly before it, with the best certificate so far. `info` returns
        the operator's limits.
        """
        request = _requests.certify(
            input,
            batch=False,
            target_radius=target_radius,
            votes=votes,
            failure_probability=failure_probability,
            bound=bound,
            components=components,
            priority=priority,
        )
        return self._answers(self._certify, request, deadline)[0]

    def certify_batch(
        self,
        inputs: ArrayLike,
        *,
        target_radius: Optional[float] = None,
        votes: Optional[int] = None,
        failure_probability: Optional[float] = None,
        bound: BoundMethod = BoundMethod.UNSPECIFIED,
        deadline: Optional[float] = None,
        components: bool = False,
        priority: Priority = Priority.UNSPECIFIED,
    ) -> List[Answer]:
        """`certify` for N inputs, an array of the shape [N, ...]."""
        request = _requests.certify(
            inputs,
            batch=True,
            target_radius=target_radius,
            votes=votes,
            failure_probability=failure_probability,
            bound=bound,
            components=components,
            priority=priority,
        )
        return self._answers(self._certify, request, deadline)

    def certify_stream(
        self,
        input: ArrayLike,
        *,
        target_radius: Optional[float] = None,
        votes: Optional[int] = None,
        failure_probability: Optional[float] = None,
        bound: BoundMethod = BoundMethod.UNSPECIFIED,
        deadline: Optional[float] = None,
        components: bool = False,
        priority: Priority = Priority.UNSPECIFIED,
    ) -> Iterator[Answer]:
        """The answers of `certify` for one input as the radius grows. Each is valid by itself; the last has `is_final`.

        The call and its deadline begin with the first step of the iterator. Close the iterator to end the call early.
        """
        request = _requests.certify(
            input,
            batch=False,
            target_radius=target_radius,
            votes=votes,
            failure_probability=failure_probability,
            bound=bound,
            components=components,
            priority=priority,
        )
        return self._growing_answers(request, checked_deadline(deadline, self._deadline))

    def predict_stream(self, *, deadline: Optional[float] = None) -> PredictStream:
        """A stream for `predict` in a loop, which saves the setup of a call for each request.

        `deadline` is that of each request in seconds. The stream reconnects by itself.
        """
        return PredictStream(
            lambda requests, timeout: self._predict_stream(
                requests, timeout=timeout, metadata=self._connection.metadata()
            ),
            checked_deadline(deadline, self._deadline),
            self._retry,
        )

    def info(self, *, deadline: Optional[float] = None) -> ServerInfo:
        """The models, labels, input, guarantee and limits that the server uses."""
        limit = checked_deadline(deadline, self._deadline)
        return _reports.server_info(self._call(self._info, pb.GetModelInfoRequest(), limit))

    def shadow_report(self, *, deadline: Optional[float] = None) -> ShadowReport:
        """Statistics of other mixtures on the traffic so far."""
        limit = checked_deadline(deadline, self._deadline)
        return _reports.shadow_report(self._call(self._shadow, pb.GetShadowReportRequest(), limit))

    def close(self) -> None:
        """Ends every call in progress and the connection."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answers(self, method: Any, request: Any, deadline: Optional[float]) -> List[Answer]:
        limit = checked_deadline(deadline, self._deadline)
        start = time.monotonic()
        response = self._call(method, request, limit)
        return _requests.answers(response, request.inputs.shape[0], limit, time.monotonic() - start)

    def _call(self, method: Any, request: Any, deadline: float) -> Any:
        def attempt(time_left: float) -> Any:
            try:
                return method(request, timeout=time_left, metadata=self._connection.metadata())
            except grpc.RpcError as error:
                raise _errors.from_rpc(error) from error

        return _retries.repeat(attempt, self._retry, time.monotonic() + deadline, retry_unavailable=False)

    def _growing_answers(self, request: pb.CertifyRequest, deadline: float) -> Iterator[Answer]:
        start = time.monotonic()

        def first(time_left: float) -> Any:
            call = self._certify_stream(request, timeout=time_left, metadata=self._connection.metadata())
            return call, _next(call)

        call, response = _retries.repeat(first, self._retry, start + deadline, retry_unavailable=False)
        try:
            while response is not None:
                yield _requests.stream_answer(response, deadline, time.monotonic() - start)
                if response.final:
                    return
                response = _next(call)
            raise _errors.MalformedAnswerError("the stream ended without a final answer")
        finally:
            call.cancel()


def _next(call: Any) -> Any:
    """The next message of a call; `None` after the last."""
    try:
        return next(call, None)
    except grpc.RpcError as error:
        raise _errors.from_rpc(error) from error
