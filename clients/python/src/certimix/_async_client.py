"""The client for asyncio."""

from __future__ import annotations

import time
from typing import Any, AsyncIterator, List, Optional

import grpc
from numpy.typing import ArrayLike

from certimix import _errors, _reports, _requests, _retries
from certimix._answers import Answer
from certimix._async_stream import AsyncPredictStream
from certimix._client_base import ClientBase
from certimix._enums import BoundMethod, Priority
from certimix._reports import ServerInfo, ShadowReport
from certimix._tensors import checked_deadline
from certimix.v1 import mixed_classifier_pb2 as pb


class AsyncClient(ClientBase):
    """A client of one server for asyncio. Create it and use it in one event loop; its tasks may share it.

    The arguments are those of `Client`.

    Every call has a deadline in seconds: its own, or `deadline` of the client. Calls are repeated within it by `retry`.
    The client connects with the first call, and again whenever the connection is lost.
    """

    _grpc = grpc.aio

    async def predict(
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
        return (await self._answers(self._predict, request, deadline))[0]

    async def predict_batch(
        self,
        inputs: ArrayLike,
        *,
        deadline: Optional[float] = None,
        components: bool = False,
        priority: Priority = Priority.UNSPECIFIED,
    ) -> List[Answer]:
        """`predict` for N inputs, an array of the shape [N, ...]. The answers are in the order of the inputs."""
        request = _requests.predict(inputs, batch=True, components=components, priority=priority)
        return await self._answers(self._predict, request, deadline)

    async def certify(
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
        return (await self._answers(self._certify, request, deadline))[0]

    async def certify_batch(
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
        return await self._answers(self._certify, request, deadline)

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
    ) -> AsyncIterator[Answer]:
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

    def predict_stream(self, *, deadline: Optional[float] = None) -> AsyncPredictStream:
        """A stream for `predict` in a loop, which saves the setup of a call for each request.

        `deadline` is that of each request in seconds. The stream reconnects by itself.
        """
        return AsyncPredictStream(
            lambda timeout: self._predict_stream(timeout=timeout, metadata=self._connection.metadata()),
            checked_deadline(deadline, self._deadline),
            self._retry,
        )

    async def info(self, *, deadline: Optional[float] = None) -> ServerInfo:
        """The models, labels, input, guarantee and limits that the server uses."""
        limit = checked_deadline(deadline, self._deadline)
        return _reports.server_info(await self._call(self._info, pb.GetModelInfoRequest(), limit))

    async def shadow_report(self, *, deadline: Optional[float] = None) -> ShadowReport:
        """Statistics of other mixtures on the traffic so far."""
        limit = checked_deadline(deadline, self._deadline)
        return _reports.shadow_report(await self._call(self._shadow, pb.GetShadowReportRequest(), limit))

    async def close(self) -> None:
        """Ends every call in progress and the connection."""
        await self._channel.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _answers(self, method: Any, request: Any, deadline: Optional[float]) -> List[Answer]:
        limit = checked_deadline(deadline, self._deadline)
        start = time.monotonic()
        response = await self._call(method, request, limit)
        return _requests.answers(response, request.inputs.shape[0], limit, time.monotonic() - start)

    async def _call(self, method: Any, request: Any, deadline: float) -> Any:
        async def attempt(time_left: float) -> Any:
            try:
                return await method(request, timeout=time_left, metadata=self._connection.metadata())
            except grpc.RpcError as error:
                raise _errors.from_rpc(error) from error

        return await _retries.repeat_async(attempt, self._retry, time.monotonic() + deadline, retry_unavailable=False)

    async def _growing_answers(self, request: pb.CertifyRequest, deadline: float) -> AsyncIterator[Answer]:
        start = time.monotonic()

        async def first(time_left: float) -> Any:
            call = self._certify_stream(request, timeout=time_left, metadata=self._connection.metadata())
            return call, await _next(call)

        call, response = await _retries.repeat_async(first, self._retry, start + deadline, retry_unavailable=False)
        try:
            while response is not None:
                yield _requests.stream_answer(response, deadline, time.monotonic() - start)
                if response.final:
                    return
                response = await _next(call)
            raise _errors.MalformedAnswerError("the stream ended without a final answer")
        finally:
            call.cancel()


async def _next(call: Any) -> Any:
    """The next message of a call; `None` after the last."""
    try:
        message = await call.read()
        return None if message is grpc.aio.EOF else message
    except grpc.RpcError as error:
        raise _errors.from_rpc(error) from error
