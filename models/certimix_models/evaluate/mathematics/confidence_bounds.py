"""Confidence bounds on a probability from votes, as in the server (docs/concepts/certificates.md, section
4), by scipy.

The server rounds each bound outward; here the last few digits are those of scipy.
`failure_probability` is that of one bound.
"""

import math

from scipy.optimize import brentq
from scipy.special import betaln
from scipy.stats import beta

SMALLEST_PROBABILITY = 1e-300


def log_evidence(p: float, hits: int, votes: int) -> float:
    """ln M_t(p): the evidence against p of a mixture over Beta(1/2, 1/2). To reject p once it
    reaches ln(1 / failure_probability) is wrong with at most that probability, at any time of
    observation (Ville).
    """
    misses = votes - hits
    constant = betaln(0.5 + hits, 0.5 + misses) - betaln(0.5, 0.5)
    return constant - (hits * math.log(p) if hits else 0.0) - (misses * math.log1p(-p) if misses else 0.0)


def anytime_lower_bound(hits: int, votes: int, failure_probability: float) -> float:
    """The bound below which every p is rejected. It holds at all numbers of votes at once."""
    if hits == 0:
        return 0.0
    level = -math.log(failure_probability)
    top = hits / votes if hits < votes else 1 - 1e-16
    if log_evidence(top, hits, votes) >= level:
        return top  # only if float64 has no digits left
    return brentq(lambda p: log_evidence(p, hits, votes) - level, SMALLEST_PROBABILITY, top, xtol=1e-15, rtol=1e-14)


def anytime_upper_bound(hits: int, votes: int, failure_probability: float) -> float:
    """The bound above which every p is rejected. It holds at all numbers of votes at once."""
    return 1 - anytime_lower_bound(votes - hits, votes, failure_probability)


def clopper_pearson_bounds(hits: int, votes: int, failure_probability: float) -> tuple[float, float]:
    """A lower and an upper bound for a number of votes that was fixed in advance. Each is false
    with probability at most `failure_probability`.
    """
    lower = beta.ppf(failure_probability, hits, votes - hits + 1) if hits > 0 else 0.0
    upper = beta.isf(failure_probability, hits + 1, votes - hits) if hits < votes else 1.0
    return float(lower), float(upper)
