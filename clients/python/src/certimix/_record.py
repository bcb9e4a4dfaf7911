"""Reads the record of a prediction: a line of `certimix predict --json`, or an object with the same fields."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

_STATUSES = ("certified", "abstained", "unavailable")
_MAX_COUNT = 2**64 - 1


class RecordError(ValueError):
    """A field is absent, or has a value that no record has."""

    def __init__(self, field: str, served: Any, expected: str) -> None:
        super().__init__(f"{field} is {served!r}, expected {expected}" if served is not None else f"{field} is absent")
        self.field = field
        self.served = served
        self.expected = expected


@dataclass(frozen=True)
class Certificate:
    """The certificate of a record. The fields are those of docs/reference/served-certificates.md."""

    status: str
    radius: float
    norm: str
    method: str
    failure_probability: float
    bound: str
    votes: int
    votes_for_class: int
    votes_for_runner_up: int
    selection_votes: int
    votes_drawn: int
    batch_size: int
    lower_bound: float
    upper_bound: float
    noise_key: str
    radius_sq_levels: int
    two_sided: bool
    target_radius: float
    snapping_loss: float
    sigma: float
    total_variation: float
    caveat: str
    basis: str
    whole_range: bool

    @property
    def is_smoothed(self) -> bool:
        """True if votes were drawn, so that the record carries what the certificate rests on."""
        return self.method in ("tight", "theorem2")


@dataclass(frozen=True)
class Record:
    """A prediction with its certificate and its provenance."""

    certificate: Certificate
    class_index: int
    class_source: str
    label: str
    standard_class_index: int
    robust_class_index: int
    mixed_logits: Tuple[float, ...]
    standard_probabilities: Tuple[float, ...]
    robust_probabilities: Tuple[float, ...]
    robust_weight: float
    alpha: float
    fallback_alpha: float
    robust_temperature: float
    robust_model_sha256: str
    standard_model_sha256: str
    file: Optional[str]
    input_dtype: Optional[str]
    input_shape: Optional[Tuple[int, ...]]
    input_sha256: Optional[str]


class _Fields:
    """Typed access to a mapping. Each error names the field with its prefix."""

    def __init__(self, values: Any, prefix: str) -> None:
        if not isinstance(values, Mapping):
            raise RecordError(prefix.rstrip(".") or "record", values, "an object with fields")
        self.values = values
        self.prefix = prefix

    def get(self, name: str, default: Any = None) -> Any:
        value = self.values.get(name)
        value = default if value is None else value
        if value is None:
            raise RecordError(self.prefix + name, None, "")
        return value

    def _typed(self, name: str, value: Any, good: bool, expected: str) -> Any:
        if not good:
            raise RecordError(self.prefix + name, value, expected)
        return value

    def text(self, name: str, default: Optional[str] = None) -> str:
        value = self.get(name, default)
        return str(self._typed(name, value, isinstance(value, str), "text"))

    def sha256(self, name: str) -> str:
        value = self.text(name)
        good = len(value) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in value)
        return str(self._typed(name, value, good, "64 hexadecimal digits")).lower()

    def flag(self, name: str) -> bool:
        value = self.get(name)
        return bool(self._typed(name, value, isinstance(value, bool), "true or false"))

    def count(self, name: str) -> int:
        value = self.get(name)
        good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT
        return int(self._typed(name, value, good, "an integer from 0"))

    def number(self, name: str, default: Optional[float] = None, low: float = 0.0, high: float = math.inf) -> float:
        value = self.get(name, default)
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        good = good and math.isfinite(value) and low <= value <= high
        span = f" from {low:g} to {high:g}" if math.isfinite(high) else f" of at least {low:g}"
        return float(self._typed(name, value, good, "a finite number" + span))

    def numbers(self, name: str, low: float = -math.inf, high: float = math.inf) -> Tuple[float, ...]:
        values = self.get(name, ())
        good = isinstance(values, (list, tuple)) and all(
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and math.isfinite(value)
            and low <= value <= high
            for value in values
        )
        span = f" from {low:g} to {high:g}" if math.isfinite(high) else ""
        return tuple(map(float, self._typed(name, values, good, "a list of finite numbers" + span)))


def _certificate(fields: _Fields) -> Certificate:
    status = fields.text("status")
    if status not in _STATUSES:
        raise RecordError(fields.prefix + "status", status, " or ".join(_STATUSES))
    for name in ("requested_target_radius", "largest_possible_radius"):
        # Nothing follows from these, and servers of earlier versions do not send them.
        fields.number(name, 0.0)
    return Certificate(
        status=status,
        radius=fields.number("radius"),
        norm=fields.text("norm"),
        method=fields.text("method"),
        failure_probability=fields.number("failure_probability", high=1.0),
        bound=fields.text("bound"),
        votes=fields.count("votes"),
        votes_for_class=fields.count("votes_for_class"),
        votes_for_runner_up=fields.count("votes_for_runner_up"),
        selection_votes=fields.count("selection_votes"),
        votes_drawn=fields.count("votes_drawn"),
        batch_size=fields.count("batch_size"),
        lower_bound=fields.number("lower_bound", high=1.0),
        upper_bound=fields.number("upper_bound", high=1.0),
        noise_key=fields.text("noise_key"),
        radius_sq_levels=fields.count("radius_sq_levels"),
        two_sided=fields.flag("two_sided"),
        target_radius=fields.number("target_radius"),
        snapping_loss=fields.number("snapping_loss"),
        sigma=fields.number("sigma"),
        total_variation=fields.number("total_variation", high=1.0),
        caveat=fields.text("caveat"),
        basis=fields.text("basis"),
        whole_range=fields.flag("whole_range"),
    )


def _shape(fields: _Fields) -> Optional[Tuple[int, ...]]:
    values = fields.values.get("input_shape")
    if values is None:
        return None
    good = isinstance(values, (list, tuple)) and all(type(value) is int and value > 0 for value in values)
    if not good:
        raise RecordError("input_shape", values, "a list of positive integers")
    return tuple(values)


def parse_record(values: Any) -> Record:
    """Reads a record.

    Raises RecordError for a field that is absent or impossible.
    """
    fields = _Fields(values, "")
    certificate = _certificate(_Fields(fields.get("certificate"), "certificate."))
    provenance = _Fields(fields.get("provenance"), "provenance.")
    alpha = provenance.number("alpha", high=1.0)
    class_index = fields.count("class_index")
    logits = fields.numbers("mixed_logits")
    for name, index in (
        ("class_index", class_index),
        ("standard_class_index", fields.count("standard_class_index")),
        ("robust_class_index", fields.count("robust_class_index")),
    ):
        if index >= len(logits):
            raise RecordError(name, index, f"the index of one of {len(logits)} mixed_logits")
    for name in ("standard_probabilities", "robust_probabilities"):
        if len(fields.numbers(name, 0.0, 1.0)) not in (0, len(logits)):
            raise RecordError(name, fields.get(name), f"{len(logits)} numbers, as many as mixed_logits, or none")
    return Record(
        certificate=certificate,
        class_index=class_index,
        class_source=fields.text("class_source"),
        label=fields.text("label"),
        standard_class_index=fields.count("standard_class_index"),
        robust_class_index=fields.count("robust_class_index"),
        mixed_logits=logits,
        standard_probabilities=fields.numbers("standard_probabilities", 0.0, 1.0),
        robust_probabilities=fields.numbers("robust_probabilities", 0.0, 1.0),
        # Servers without a second weight use alpha for every input.
        robust_weight=fields.number("robust_weight", alpha, high=1.0),
        alpha=alpha,
        fallback_alpha=provenance.number("fallback_alpha", alpha, high=1.0),
        robust_temperature=provenance.number("robust_temperature", 1.0),
        robust_model_sha256=provenance.sha256("robust_model_sha256"),
        standard_model_sha256=provenance.sha256("standard_model_sha256"),
        file=fields.text("file", "") or None,
        input_dtype=fields.text("input_dtype", "") or None,
        input_shape=_shape(fields),
        input_sha256=fields.sha256("input_sha256") if fields.values.get("input_sha256") is not None else None,
    )
