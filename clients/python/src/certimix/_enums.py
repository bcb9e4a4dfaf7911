"""The enumerations of the wire. A value that this client does not know is `UNSPECIFIED`, which certifies nothing."""

from __future__ import annotations

import enum
from typing import Type, TypeVar

Member = TypeVar("Member", bound=enum.IntEnum)


class CertificateStatus(enum.IntEnum):
    """Whether anything was proven about an input."""

    UNSPECIFIED = 0
    CERTIFIED = 1
    ABSTAINED = 2
    """Nothing was proven about this input."""
    UNAVAILABLE = 3
    """The models or the settings can prove nothing about any input."""


class Norm(enum.IntEnum):
    """The norm in which a radius measures perturbations of the float input."""

    UNSPECIFIED = 0
    L1 = 1
    L2 = 2
    LINF = 3


class CertificateMethod(enum.IntEnum):
    """The theorem behind a radius."""

    UNSPECIFIED = 0
    THEOREM1 = 1
    LOGIT_LIPSCHITZ = 2
    THEOREM2 = 3
    TIGHT = 4


class CertificateBasis(enum.IntEnum):
    """The evidence for the property of the robust model on which a radius depends."""

    UNSPECIFIED = 0
    PROVEN = 1
    """By a theorem for any model, or by a signed proof record about exactly this model."""
    CLAIMED = 2
    """By the model's manifest only: the radius is right if the manifest is."""


class BoundMethod(enum.IntEnum):
    """How votes become confidence bounds."""

    UNSPECIFIED = 0
    ANYTIME = 1
    CLOPPER_PEARSON = 2


class StopReason(enum.IntEnum):
    """Why the server drew no more votes."""

    UNSPECIFIED = 0
    TARGET_REACHED = 1
    TARGET_OUT_OF_REACH = 2
    VOTE_BUDGET = 3
    DEADLINE = 4
    NOT_SAMPLED = 5
    CLASS_SETTLED = 6


class AbstentionReason(enum.IntEnum):
    """Why an input is not certified although these models and settings can certify inputs."""

    UNSPECIFIED = 0
    ROBUST_MODEL_UNSURE = 1
    TOO_FEW_VOTES = 2
    DEADLINE = 3
    SNAPPING_LOSS = 4


class ClassSource(enum.IntEnum):
    """Where the class of an answer comes from."""

    UNSPECIFIED = 0
    CERTIFICATE = 1
    MIXTURE = 2
    STANDARD_MODEL = 3


class Priority(enum.IntEnum):
    """The priority of a request. Interactive rows run before all bulk rows."""

    UNSPECIFIED = 0
    INTERACTIVE = 1
    BULK = 2


def member(kind: Type[Member], number: int) -> Member:
    """The member with this number; `UNSPECIFIED` if a later server sends a number that this client does not know."""
    try:
        return kind(number)
    except ValueError:
        return kind(0)
