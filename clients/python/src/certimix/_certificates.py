"""The certificate of an answer, and the configuration that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from certimix._enums import (
    AbstentionReason,
    BoundMethod,
    CertificateBasis,
    CertificateMethod,
    CertificateStatus,
    Norm,
    StopReason,
    member,
)
from certimix.v1 import mixed_classifier_pb2 as pb


@dataclass(frozen=True)
class Certificate:
    """A proof about one answer, field by field as the server sent it.

    If `status` is CERTIFIED, the class is the same for every perturbed input x' with ||x' - x|| < `radius` in `norm`.
    Radii and distances are in the units of the float input: for images in [0, 1], 36/255 is 0.1412. The fields from
    `failure_probability` on are set for a smoothed robust model only. `Answer.certified_beyond` is the safe way to ask.
    """

    status: CertificateStatus
    radius: float
    """Rounded down by the server. 0 unless CERTIFIED."""
    norm: Norm
    method: CertificateMethod
    basis: CertificateBasis
    reason: str
    """Why there is no certificate. Empty if CERTIFIED."""
    abstention_reason: AbstentionReason
    caveat: str
    """Not empty if the proof assumes what the server's self-test refuted."""
    whole_range: bool
    """The radius covers every input of the range."""
    stop_reason: StopReason
    failure_probability: float
    bound: BoundMethod
    votes: int
    votes_for_class: int
    votes_for_runner_up: int
    selection_votes: int
    votes_drawn: int
    lower_bound: float
    upper_bound: float
    two_sided: bool
    target_radius: float
    requested_target_radius: float
    largest_possible_radius: float
    snapping_loss: float
    sigma: float
    total_variation: float
    radius_sq_levels: int
    """The largest N with sqrt(N) / 255 < radius. Set for norm L2 and inputs in [0, 1]."""
    batch_size: int
    noise_key: bytes


def certificate(message: pb.Certificate) -> Certificate:
    """The certificate of a message."""
    return Certificate(
        status=member(CertificateStatus, message.status),
        radius=message.radius,
        norm=member(Norm, message.norm),
        method=member(CertificateMethod, message.method),
        basis=member(CertificateBasis, message.basis),
        reason=message.reason,
        abstention_reason=member(AbstentionReason, message.abstention_reason),
        caveat=message.caveat,
        whole_range=message.whole_range,
        stop_reason=member(StopReason, message.stop_reason),
        failure_probability=message.failure_probability,
        bound=member(BoundMethod, message.bound),
        votes=message.votes,
        votes_for_class=message.votes_for_class,
        votes_for_runner_up=message.votes_for_runner_up,
        selection_votes=message.selection_votes,
        votes_drawn=message.votes_drawn,
        lower_bound=message.lower_bound,
        upper_bound=message.upper_bound,
        two_sided=message.two_sided,
        target_radius=message.target_radius,
        requested_target_radius=message.requested_target_radius,
        largest_possible_radius=message.largest_possible_radius,
        snapping_loss=message.snapping_loss,
        sigma=message.sigma,
        total_variation=message.total_variation,
        radius_sq_levels=message.radius_sq_levels,
        batch_size=message.batch_size,
        noise_key=message.noise_key,
    )


@dataclass(frozen=True)
class Provenance:
    """The configuration that produced an answer."""

    config_revision: str
    alpha: float
    """The weight of the robust model where its margin is at least (1 - alpha) / alpha."""
    fallback_alpha: Optional[float]
    """Its weight elsewhere; `None` from servers that use `alpha` for every input."""
    robust_temperature: float
    standard_model_sha256: str
    robust_model_sha256: str
    server_version: str
    runtime_version: str
    processor: str
    standard_batch_size: int
    robust_batch_size: int


def provenance(message: pb.Provenance) -> Provenance:
    """The provenance of a message."""
    return Provenance(
        config_revision=message.config_revision,
        alpha=message.alpha,
        fallback_alpha=message.fallback_alpha if message.HasField("fallback_alpha") else None,
        robust_temperature=message.robust_temperature,
        standard_model_sha256=message.standard_model_sha256,
        robust_model_sha256=message.robust_model_sha256,
        server_version=message.server_version,
        runtime_version=message.runtime_version,
        processor=message.processor,
        standard_batch_size=message.standard_batch_size,
        robust_batch_size=message.robust_batch_size,
    )


@dataclass(frozen=True)
class Timings:
    """The times of one request, in seconds.

    The two models run at the same time: `queue_s`, the model that finished last, `mixing_s` and a small rest add up to
    `server_s`.
    """

    deadline_s: float
    """The deadline that the client gave the request."""
    round_trip_s: float
    """From the call to its answer, retries included, as the client measured it."""
    queue_s: float
    """The wait until an executor took the first rows of the model that finished last."""
    standard_model_s: float
    robust_model_s: float
    mixing_s: float
    server_s: float
    """From the arrival of the request to the encoding of the answer."""


def timings(message: pb.Timings, deadline: float, round_trip: float) -> Timings:
    """The times of a request with this deadline and round trip, in seconds."""
    return Timings(
        deadline_s=deadline,
        round_trip_s=round_trip,
        queue_s=message.queue_us / 1e6,
        standard_model_s=message.standard_model_us / 1e6,
        robust_model_s=message.robust_model_us / 1e6,
        mixing_s=message.mixing_us / 1e6,
        server_s=message.total_us / 1e6,
    )
