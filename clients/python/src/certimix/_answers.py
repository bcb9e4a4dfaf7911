"""An answer that one can act on."""

from __future__ import annotations

import decimal
import math
from dataclasses import dataclass, field
from typing import Collection, NoReturn, Optional, TypeVar, Union

import numpy
from numpy.typing import NDArray

from certimix._certificates import Certificate, Provenance, Timings, certificate
from certimix._enums import CertificateBasis, CertificateStatus, ClassSource, Norm, member
from certimix._errors import MalformedAnswerError
from certimix.v1 import mixed_classifier_pb2 as pb

Default = TypeVar("Default")


def _rounded_down(radius: float, *, digits: int) -> str:
    """`radius` with at most so many significant digits, and never more than it is: a text must not claim more than is proven."""
    rounded = decimal.Context(prec=digits, rounding=decimal.ROUND_FLOOR).create_decimal_from_float(radius)
    return format(rounded, "f" if rounded >= decimal.Decimal("1e-4") else "e")


@dataclass(frozen=True, eq=False)
class Answer:
    """The class of one input, and what is proven about it.

    Ask `class_if_certified` for a class to act on. `best_guess` is the class whether anything is proven about it or not.
    An answer has no truth value and equals no class, because either would treat an abstention like a certificate.
    """

    certificate: Certificate
    best_guess: int
    """The index of the class, certified or not. `class_source` states where it comes from."""
    best_guess_label: str
    class_source: ClassSource
    mixed_logits: NDArray[numpy.float32]
    """[K]: log-probabilities of the mixture. Their largest entry may belong to another class than the answer's."""
    robust_weight: Optional[float]
    """The weight of the robust model in `mixed_logits`."""
    standard_guess: int
    """The class that the standard model alone would return."""
    robust_guess: int
    """The class that the robust model alone would return."""
    standard_probabilities: Optional[NDArray[numpy.float32]]
    """[K]. Set if the call asked for the components."""
    robust_probabilities: Optional[NDArray[numpy.float32]]
    provenance: Provenance
    timings: Optional[Timings]
    """`None` in the answers of `certify_stream` before the final one."""
    is_final: bool
    """False in the answers of `certify_stream` before the final one."""
    message: pb.Prediction = field(repr=False)
    """The answer as the server sent it."""

    @property
    def certified(self) -> bool:
        """Whether anything is proven about this input, without a caveat: the same as `certified_beyond(0)`."""
        return self.why_not is None

    @property
    def radius(self) -> float:
        """The certified radius in `norm`, in the units of the float input; 0 if `certified` is false."""
        return self.certificate.radius if self.certified else 0.0

    @property
    def norm(self) -> Norm:
        """The norm of `radius`."""
        return self.certificate.norm

    @property
    def basis(self) -> CertificateBasis:
        """Whether the property of the robust model that the radius depends on is PROVEN or CLAIMED."""
        return self.certificate.basis

    @property
    def why_not(self) -> Optional[str]:
        """Why the input is not certified; `None` if it is."""
        return self.why_not_beyond(0.0)

    def why_not_beyond(
        self,
        radius: float,
        *,
        norm: Union[Norm, str, None] = None,
        require_proven: bool = False,
        accept_caveat: bool = False,
    ) -> Optional[str]:
        """Why `certified_beyond` is false for the same arguments; `None` if it is true."""
        wanted = float(radius)
        if not (math.isfinite(wanted) and wanted >= 0):
            raise ValueError(f"radius: expected a finite number of at least 0, found {radius}")
        expected_norm = _norm(norm)
        found = self.certificate
        if found.status != CertificateStatus.CERTIFIED:
            return f"{found.status.name}: {found.reason or 'the server gives no reason'}"
        if found.caveat and not accept_caveat:
            return f"the certificate has a caveat: {found.caveat}"
        if expected_norm is not None and expected_norm != found.norm:
            return f"the radius is in the norm {found.norm.name}, not in {expected_norm.name}"
        if require_proven and found.basis != CertificateBasis.PROVEN:
            return "the property of the robust model is claimed by its manifest, not proven"
        if not found.radius > wanted:
            certified = _rounded_down(found.radius, digits=6)
            return f"the certified radius {certified} ({found.norm.name}) is not larger than {wanted:.6g}"
        return None

    def certified_beyond(
        self,
        radius: float,
        *,
        norm: Union[Norm, str, None] = None,
        require_proven: bool = False,
        accept_caveat: bool = False,
    ) -> bool:
        """Whether every perturbation of norm `radius` or less provably leaves the class unchanged.

        `radius` is in the units of the float input. Name the `norm` in which it is meant ("l1", "l2", "linf"): the answer
        is then false if the certificate is in another one. `require_proven` accepts no certificate on a mere claim of the
        manifest. `accept_caveat` accepts a certificate whose proof assumes what the server's self-test refuted.
        """
        reason = self.why_not_beyond(radius, norm=norm, require_proven=require_proven, accept_caveat=accept_caveat)
        return reason is None

    def class_if_certified(
        self,
        radius: float,
        default: Default,
        *,
        norm: Union[Norm, str, None] = None,
        require_proven: bool = False,
        accept_caveat: bool = False,
    ) -> Union[int, Default]:
        """The index of the class if it is certified beyond `radius`, and `default` otherwise. See `certified_beyond`."""
        reason = self.why_not_beyond(radius, norm=norm, require_proven=require_proven, accept_caveat=accept_caveat)
        return self.best_guess if reason is None else default

    def label_if_certified(
        self,
        radius: float,
        default: Default,
        *,
        norm: Union[Norm, str, None] = None,
        require_proven: bool = False,
        accept_caveat: bool = False,
    ) -> Union[str, Default]:
        """The label of the class if it is certified beyond `radius`, and `default` otherwise. See `certified_beyond`."""
        reason = self.why_not_beyond(radius, norm=norm, require_proven=require_proven, accept_caveat=accept_caveat)
        return self.best_guess_label if reason is None else default

    def __str__(self) -> str:
        if self.why_not is not None:
            return f"not certified, best guess {self.best_guess_label!r}: {self.why_not}"
        basis = "" if self.basis == CertificateBasis.PROVEN else f", {self.basis.name.lower()}"
        norm = self.norm.name.lower()
        certified = _rounded_down(self.radius, digits=4)
        return f"{self.best_guess_label!r}, certified within {certified} ({norm}, units of the float input{basis})"

    def __bool__(self) -> NoReturn:
        raise TypeError("an answer has no truth value: ask answer.certified_beyond(radius)")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Answer):
            return self is other
        raise TypeError("an answer equals no class: compare answer.class_if_certified(radius, default)")

    __hash__ = object.__hash__


def _norm(norm: Union[Norm, str, None]) -> Optional[Norm]:
    if norm is None or isinstance(norm, Norm):
        return norm
    try:
        return Norm[norm.upper()]
    except KeyError:
        raise ValueError(f"norm: expected 'l1', 'l2' or 'linf', found {norm!r}") from None


def answer(
    message: pb.Prediction, provenance: Provenance, timings: Optional[Timings], *, is_final: bool = True
) -> Answer:
    """The answer of a message.

    Raises `MalformedAnswerError` if the message calls a class certified and contradicts that.
    """
    proof = certificate(message.certificate)
    source = member(ClassSource, message.class_source)
    if proof.status == CertificateStatus.CERTIFIED:
        _check_certified(message, proof, source)
    return Answer(
        certificate=proof,
        best_guess=message.class_index,
        best_guess_label=message.label,
        class_source=source,
        mixed_logits=_array(message.mixed_logits),
        robust_weight=message.robust_weight if message.HasField("robust_weight") else None,
        standard_guess=message.standard_class_index,
        robust_guess=message.robust_class_index,
        standard_probabilities=_array(message.standard_probabilities) if message.standard_probabilities else None,
        robust_probabilities=_array(message.robust_probabilities) if message.robust_probabilities else None,
        provenance=provenance,
        timings=timings,
        is_final=is_final,
        message=message,
    )


def _check_certified(message: pb.Prediction, proof: Certificate, source: ClassSource) -> None:
    if not (math.isfinite(proof.radius) and proof.radius > 0):
        raise MalformedAnswerError(f"a CERTIFIED answer has the radius {proof.radius}")
    if proof.norm == Norm.UNSPECIFIED:
        raise MalformedAnswerError("a CERTIFIED answer has a radius in no norm that this client knows")
    # Servers of earlier versions do not set the source.
    if message.class_source != 0 and source != ClassSource.CERTIFICATE:
        raise MalformedAnswerError("a CERTIFIED answer has a class that is not the certificate's")
    if message.class_index >= len(message.mixed_logits):
        raise MalformedAnswerError(f"the class {message.class_index} is none of {len(message.mixed_logits)}")


def _array(values: Collection[float]) -> NDArray[numpy.float32]:
    return numpy.fromiter(values, dtype=numpy.float32, count=len(values))
