"""The result of a check of a certificate."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Optional


class Verdict(enum.Enum):
    """The three results of a check."""

    #: Every claim follows from what the record contains, or the record claims nothing.
    HOLDS = "holds"
    #: A claim does not follow. `VerificationReport.failures` names each field and the value that it may have.
    DOES_NOT_HOLD = "does_not_hold"
    #: No claim is wrong, but one depends on something that the record does not contain. `VerificationReport.open` names it.
    CANNOT_BE_VERIFIED = "cannot_be_verified"


@dataclass(frozen=True)
class VerificationCheck:
    """The check of one field."""

    #: The name of the field: `radius` of the certificate, `class_index` of the prediction, `provenance.alpha`.
    field: str
    verdict: Verdict
    #: The value in the record.
    served: Any
    #: The value that follows from the rest of the record, or a description of it. A bound for a number that may be smaller.
    expected: Any
    #: One sentence, for a failure or an open question.
    message: str = ""
    #: True if the record claims less than it could. Such a claim holds.
    claims_less: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The check as JSON."""
        return {
            "field": self.field,
            "verdict": self.verdict.value,
            "served": self.served,
            "expected": self.expected,
            "message": self.message,
            "claims_less": self.claims_less,
        }


@dataclass(frozen=True)
class VerificationReport:
    """All checks of one record."""

    checks: tuple[VerificationCheck, ...]
    #: The file of the record, if it names one.
    file: Optional[str] = None
    #: True if the record has no certified radius, so that only its other fields could be wrong.
    claims_nothing: bool = False

    @property
    def verdict(self) -> Verdict:
        """DOES_NOT_HOLD if a check failed, else CANNOT_BE_VERIFIED if one is open, else HOLDS."""
        for verdict in (Verdict.DOES_NOT_HOLD, Verdict.CANNOT_BE_VERIFIED):
            if any(check.verdict is verdict for check in self.checks):
                return verdict
        return Verdict.HOLDS

    @property
    def failures(self) -> tuple[VerificationCheck, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.verdict is Verdict.DOES_NOT_HOLD)

    @property
    def open(self) -> tuple[VerificationCheck, ...]:
        """The checks that need more than the record."""
        return tuple(check for check in self.checks if check.verdict is Verdict.CANNOT_BE_VERIFIED)

    def __bool__(self) -> bool:
        """True only if the record holds."""
        return self.verdict is Verdict.HOLDS

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "file": self.file,
            "verdict": self.verdict.value,
            "claims_nothing": self.claims_nothing,
            "checks": [check.to_dict() for check in self.checks],
        }


class Checks:
    """Collects the checks of one record."""

    def __init__(self) -> None:
        self.list: list[VerificationCheck] = []

    def holds(self, field: str, served: Any, expected: Any, claims_less: bool = False) -> None:
        """Notes a field that holds."""
        self.list.append(VerificationCheck(field, Verdict.HOLDS, served, expected, claims_less=claims_less))

    def fails(self, field: str, served: Any, expected: Any, message: str = "") -> None:
        """Notes a field that does not hold."""
        message = message or f"{field} is {served!r}, expected {expected!r}"
        self.list.append(VerificationCheck(field, Verdict.DOES_NOT_HOLD, served, expected, message))

    def unknown(self, field: str, served: Any, message: str) -> None:
        """Notes a field that cannot be verified."""
        self.list.append(VerificationCheck(field, Verdict.CANNOT_BE_VERIFIED, served, None, message))

    def require(self, condition: bool, field: str, served: Any, expected: Any, message: str = "") -> None:
        """Notes a field that holds if the condition does."""
        if condition:
            self.holds(field, served, expected)
        else:
            self.fails(field, served, expected, message)

    def at_most(self, field: str, served: float, exact: Any) -> None:
        """Compares a number that may be smaller than what is proven, and not larger."""
        self._compare(field, served, exact, served <= exact, exact - served)

    def at_least(self, field: str, served: float, exact: Any) -> None:
        """Compares a number that may be larger than what is proven, and not smaller."""
        self._compare(field, served, exact, served >= exact, served - exact)

    def _compare(self, field: str, served: float, exact: Any, sound: bool, slack: Any) -> None:
        if sound:
            self.holds(field, served, float(exact), claims_less=bool(slack > 1e-8 * abs(exact)))
        else:
            self.fails(field, served, float(exact))
