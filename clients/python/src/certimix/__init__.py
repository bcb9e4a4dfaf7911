"""Client of Certimix, the inference server that certifies its answers.

    import certimix

    with certimix.Client("unix:///run/certimix.sock") as client:
        answer = client.predict(image)                       # uint8 or float32, of the model's input shape
        action = answer.class_if_certified(0.1, default=None, norm="l2")

`Client` is synchronous, `AsyncClient` is for asyncio. Errors are subclasses of `CertimixError`.
"""

from certimix._answers import Answer
from certimix._async_client import AsyncClient
from certimix._async_stream import AsyncPredictStream
from certimix._certificates import Certificate, Provenance, Timings
from certimix._client import Client
from certimix._enums import (
    AbstentionReason,
    BoundMethod,
    CertificateBasis,
    CertificateMethod,
    CertificateStatus,
    ClassSource,
    Norm,
    Priority,
    StopReason,
)
from certimix._errors import (
    CertimixError,
    DeadlineExceededError,
    FieldViolation,
    InternalError,
    InvalidArgumentError,
    MalformedAnswerError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
)
from certimix._replay import replay
from certimix._reports import ServerInfo, ShadowMixture, ShadowReport
from certimix._requests import DEFAULT_DEADLINE
from certimix._retries import RetryPolicy
from certimix._stream import PredictStream
from certimix._verdict import Verdict, VerificationCheck, VerificationReport
from certimix._verify import verify

__all__ = [
    "DEFAULT_DEADLINE",
    "AbstentionReason",
    "Answer",
    "AsyncClient",
    "AsyncPredictStream",
    "BoundMethod",
    "Certificate",
    "CertificateBasis",
    "CertificateMethod",
    "CertificateStatus",
    "CertimixError",
    "ClassSource",
    "Client",
    "DeadlineExceededError",
    "FieldViolation",
    "InternalError",
    "InvalidArgumentError",
    "MalformedAnswerError",
    "Norm",
    "PredictStream",
    "Priority",
    "Provenance",
    "ResourceExhaustedError",
    "RetryPolicy",
    "ServerInfo",
    "ShadowMixture",
    "ShadowReport",
    "StopReason",
    "Timings",
    "UnauthenticatedError",
    "UnavailableError",
    "Verdict",
    "VerificationCheck",
    "VerificationReport",
    "replay",
    "verify",
]
