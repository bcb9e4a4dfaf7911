"""What a server serves, and its report on other mixtures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Tuple

from certimix import _certificates
from certimix._certificates import Provenance
from certimix._enums import CertificateBasis, CertificateMethod, Norm, member
from certimix.v1 import mixed_classifier_pb2 as pb


@dataclass(frozen=True)
class ServerInfo:
    """What a server serves. `message` has every field, with the limits and the state of the configuration."""

    labels: Tuple[str, ...]
    input_shape: Tuple[int, ...]
    """The shape of one input."""
    input_low: float
    input_high: float
    accepts_uint8: bool
    """Byte u means the float u / 255."""
    grid_step: float
    """The distance between neighbouring values of the grid of a smoothed robust model; 0 without a grid."""
    norm: Norm
    method: CertificateMethod
    basis: CertificateBasis
    """The evidence for the guarantee of the robust model."""
    basis_reason: str
    unavailable_reason: str
    """Why no input can be certified; empty if inputs can be certified."""
    largest_possible_radius: float
    """The largest radius of any input, in `norm` and in the units of the float input; 0 if unknown."""
    max_inputs: int
    max_message_bytes: int
    provenance: Provenance
    message: pb.GetModelInfoResponse = field(repr=False)


def server_info(message: pb.GetModelInfoResponse) -> ServerInfo:
    """The information of a message."""
    return ServerInfo(
        labels=tuple(message.labels),
        input_shape=tuple(message.input.shape),
        input_low=message.input.low,
        input_high=message.input.high,
        accepts_uint8=message.input.accepts_uint8,
        grid_step=message.input.grid_step,
        norm=member(Norm, message.norm),
        method=member(CertificateMethod, message.method),
        basis=member(CertificateBasis, message.robust.guarantee_basis),
        basis_reason=message.robust.guarantee_basis_reason,
        unavailable_reason=message.unavailable_reason,
        largest_possible_radius=message.largest_possible_radius,
        max_inputs=message.max_inputs,
        max_message_bytes=message.max_message_bytes,
        provenance=_certificates.provenance(message.provenance),
        message=message,
    )


@dataclass(frozen=True)
class ShadowMixture:
    """The results that one mixture would have produced on the served inputs. They are no certificates."""

    alpha: float
    fallback_alpha: Optional[float]
    robust_temperature: float
    inputs: int
    """Inputs that were answered and evaluated."""
    agreements: int
    """Inputs for which this mixture has the class that was served."""
    standard_agreements: int
    """Inputs for which this mixture has the class that the standard model alone would return."""
    certified: int
    gained: int
    """Certified by this mixture, served without a certificate."""
    lost: int
    """Served with a certificate, not certified by this mixture."""
    radius_sum: float
    """The sum of all certified radii, in the units of the float input."""
    message: pb.ShadowRow = field(repr=False)


@dataclass(frozen=True)
class ShadowReport:
    """Statistics of other mixtures on the traffic so far."""

    serving: Optional[ShadowMixture]
    """`None` if the server has no candidates, and counts nothing."""
    candidates: Tuple[ShadowMixture, ...]
    norm: Norm
    dropped: int
    """Inputs that were answered and not evaluated."""
    provenance: Provenance
    message: pb.GetShadowReportResponse = field(repr=False)


def shadow_report(message: pb.GetShadowReportResponse) -> ShadowReport:
    """The report of a message."""
    return ShadowReport(
        serving=_mixture(message.serving) if message.HasField("serving") else None,
        candidates=tuple(_mixture(row) for row in message.candidates),
        norm=member(Norm, message.norm),
        dropped=message.dropped,
        provenance=_certificates.provenance(message.provenance),
        message=message,
    )


def _mixture(row: pb.ShadowRow) -> ShadowMixture:
    return ShadowMixture(
        alpha=row.alpha,
        fallback_alpha=row.fallback_alpha if row.HasField("fallback_alpha") else None,
        robust_temperature=row.robust_temperature,
        inputs=row.inputs,
        agreements=row.agreements,
        standard_agreements=row.standard_agreements,
        certified=row.certified,
        gained=row.gained,
        lost=row.lost,
        radius_sum=row.radius_sum,
        message=row,
    )
