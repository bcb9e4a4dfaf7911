"""Confidence bounds on a probability from votes, as the server has them (docs/concepts/certificates.md, section 4), by scipy.

The server rounds each outward; here the last few digits are those of scipy. `failure_probability` is one bound's.
"""

import math

from scipy.optimize import brentq
from scipy.special import betaln
from scipy.stats import beta

EDGE = 1e-300


def log_mixture(p: float, hits: int, votes: int) -> float:
    """ln M_t(p): the evidence against p of a mixture over Beta(1/2, 1/2). Rejecting p once it reaches ln(1 / failure_probability) is
    wrong with that probability at most, at whatever moment one looks (Ville)."""
    misses = votes - hits
    constant = betaln(0.5 + hits, 0.5 + misses) - betaln(0.5, 0.5)
    return constant - (hits * math.log(p) if hits else 0.0) - (misses * math.log1p(-p) if misses else 0.0)


def anytime_lower(hits: int, votes: int, failure_probability: float) -> float:
    """Below it every p is rejected; valid at every moment at once."""
    if hits == 0:
        return 0.0
    level = -math.log(failure_probability)
    top = hits / votes if hits < votes else 1 - 1e-16
    if log_mixture(top, hits, votes) >= level:
        return top  # only if every digit is used up
    return brentq(lambda p: log_mixture(p, hits, votes) - level, EDGE, top, xtol=1e-15, rtol=1e-14)


def anytime_upper(hits: int, votes: int, failure_probability: float) -> float:
    return 1 - anytime_lower(votes - hits, votes, failure_probability)


def clopper_pearson(hits: int, votes: int, failure_probability: float) -> tuple[float, float]:
    """A lower and an upper bound, each of which is false with probability at most `failure_probability`, for a number of votes that was
    fixed beforehand."""
    lower = beta.ppf(failure_probability, hits, votes - hits + 1) if hits > 0 else 0.0
    upper = beta.isf(failure_probability, hits + 1, votes - hits) if hits < votes else 1.0
    return float(lower), float(upper)
