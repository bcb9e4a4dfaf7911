"""What the synchronous client and that for asyncio have in common."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Optional

import grpc

from certimix import _connection, _requests
from certimix._connection import PathLike
from certimix._requests import DEFAULT_DEADLINE, SERVICE
from certimix._retries import RetryPolicy
from certimix._tensors import checked_deadline
from certimix.v1 import mixed_classifier_pb2 as pb


class ClientBase:
    """The connection, its methods, and the deadline of a call that names none."""

    _grpc: ModuleType
    """`grpc`, or `grpc.aio`: both open channels in the same way."""

    def __init__(
        self,
        address: str,
        *,
        deadline: float = DEFAULT_DEADLINE,
        retry: RetryPolicy = RetryPolicy(),
        tls_ca: Optional[PathLike] = None,
        tls_certificate: Optional[PathLike] = None,
        tls_key: Optional[PathLike] = None,
        tls_server_name: Optional[str] = None,
        token_file: Optional[PathLike] = None,
        compression: Optional[grpc.Compression] = None,
    ) -> None:
        self._deadline = checked_deadline(deadline, DEFAULT_DEADLINE)
        self._retry = retry
        self._connection = _connection.connection(
            address,
            retry=retry,
            tls_ca=tls_ca,
            tls_certificate=tls_certificate,
            tls_key=tls_key,
            tls_server_name=tls_server_name,
            token_file=token_file,
        )
        target, options, credentials = self._connection.target, self._connection.options, self._connection.credentials
        if credentials is None:
            self._channel: Any = self._grpc.insecure_channel(target, options, compression)
        else:
            self._channel = self._grpc.secure_channel(target, credentials, options, compression)
        unary = self._channel.unary_unary
        self._predict: Any = unary(f"{SERVICE}Predict", _requests.serialize, pb.PredictResponse.FromString)
        self._certify: Any = unary(f"{SERVICE}Certify", _requests.serialize, pb.CertifyResponse.FromString)
        self._info: Any = unary(f"{SERVICE}GetModelInfo", _requests.serialize, pb.GetModelInfoResponse.FromString)
        self._shadow: Any = unary(f"{SERVICE}GetShadowReport", _requests.serialize, pb.GetShadowReportResponse.FromString)
        self._certify_stream: Any = self._channel.unary_stream(
            f"{SERVICE}CertifyStream", _requests.serialize, pb.CertifyStreamResponse.FromString
        )
        self._predict_stream: Any = self._channel.stream_stream(
            f"{SERVICE}PredictStream", _requests.serialize, pb.PredictStreamResponse.FromString
        )

    @property
    def deadline(self) -> float:
        """The deadline in seconds of a call that names none."""
        return self._deadline
