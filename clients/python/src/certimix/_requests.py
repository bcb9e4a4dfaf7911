"""The requests and answers that the sync and the asyncio client share."""

from __future__ import annotations

from typing import Any, List, Optional

from numpy.typing import ArrayLike

from certimix import _answers, _certificates, _tensors
from certimix._answers import Answer
from certimix._enums import BoundMethod, Priority
from certimix._errors import MalformedAnswerError
from certimix.v1 import mixed_classifier_pb2 as pb

DEFAULT_DEADLINE = 1.0
"""The deadline in seconds of a call that names none. `Client.deadline` shows the deadline in force."""

SERVICE = "/certimix.v1.MixedClassifier/"


def predict(inputs: ArrayLike, *, batch: bool, components: bool, priority: Priority) -> pb.PredictRequest:
    """The request of a Predict."""
    return pb.PredictRequest(
        inputs=_tensors.tensor(inputs, batch=batch), include_components=components, priority=f"PRIORITY_{priority.name}"
    )


def certify(
    inputs: ArrayLike,
    *,
    batch: bool,
    target_radius: Optional[float],
    votes: Optional[int],
    failure_probability: Optional[float],
    bound: BoundMethod,
    components: bool,
    priority: Priority,
) -> pb.CertifyRequest:
    """The request of a Certify or a CertifyStream."""
    return pb.CertifyRequest(
        inputs=_tensors.tensor(inputs, batch=batch),
        include_components=components,
        target_radius=target_radius,
        vote_budget=votes,
        failure_probability=failure_probability,
        bound=f"BOUND_METHOD_{bound.name}",
        priority=f"PRIORITY_{priority.name}",
    )


def answers(
    response: pb.PredictResponse | pb.CertifyResponse, inputs: int, deadline: float, round_trip: float
) -> List[Answer]:
    """The answers of a response, one for each of `inputs`. Times are in seconds."""
    if len(response.predictions) != inputs:
        raise MalformedAnswerError(f"expected {inputs} predictions, found {len(response.predictions)}")
    provenance = _certificates.provenance(response.provenance)
    times = _certificates.timings(response.timings, deadline, round_trip)
    return [_answers.answer(prediction, provenance, times) for prediction in response.predictions]


def stream_answer(response: pb.CertifyStreamResponse, deadline: float, elapsed: float) -> Answer:
    """The answer of one message of a CertifyStream."""
    times = _certificates.timings(response.timings, deadline, elapsed) if response.final else None
    provenance = _certificates.provenance(response.provenance)
    return _answers.answer(response.prediction, provenance, times, is_final=response.final)


def serialize(message: Any) -> bytes:
    """The bytes of a message."""
    serialized: bytes = message.SerializeToString()
    return serialized
