"""Bounds and radii from counts of votes, with 60 digits.

The formulas are those of docs/concepts/certificates.md, sections 3 and 4. No step rounds toward a side: with 60 digits the
error of every function here is below 1e-40, and a served number of 64 bits that is on the safe side of the exact one is on
the safe side of the result.

`p` stands for a probability, `votes` for a number of votes, `hits` for those of a class, and `delta` for the probability
that a bound is false. Numbers of the arguments are exact: an int, a float, or a number of the context.
"""

from __future__ import annotations

import statistics
from functools import lru_cache
from typing import Any, Optional

from ._extras import require

DIGITS = 60
# A root is refined until a step changes it by less than this, relative.
_ROOT_DIGITS = 48
_STANDARD_NORMAL = statistics.NormalDist()


@lru_cache(maxsize=1)
def context() -> Any:
    """The arithmetic of 60 digits. It is one of our own: mpmath's global precision does not change."""
    arithmetic = require("mpmath", "verify").MPContext()
    arithmetic.dps = DIGITS
    return arithmetic


def normal_cdf(x: Any) -> Any:
    """Phi(x)."""
    mp = context()
    return mp.erfc(-x / mp.sqrt(2)) / 2


@lru_cache(maxsize=256)
def normal_quantile(p: Any) -> Any:
    """Phi^-1(p), for p from 0 to 1; infinite at the ends."""
    mp = context()
    p = mp.mpf(p)
    if p <= 0:
        return mp.ninf
    if p >= 1:
        return mp.inf
    if p > 0.5:
        return -normal_quantile(1 - p)
    start = float(p)
    x = mp.mpf(_STANDARD_NORMAL.inv_cdf(start)) if start > 1e-300 else -mp.sqrt(-2 * mp.log(p))
    target = mp.log(p)
    # ln Phi is increasing and concave, so Newton's method converges from everywhere.
    for _ in range(100):
        below = normal_cdf(x)
        step = (mp.log(below) - target) * below / mp.npdf(x)
        x -= step
        if abs(step) <= mp.mpf(10) ** -_ROOT_DIGITS * max(1, abs(x)):
            break
    return x


def incomplete_beta(a: Any, b: Any, x: Any) -> Any:
    """The regularized incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    mp = context()
    a, b, x = mp.mpf(a), mp.mpf(b), mp.mpf(x)
    if x <= 0:
        return mp.mpf(0)
    if x >= 1:
        return mp.mpf(1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    tiny = mp.mpf(10) ** -300
    fraction, numerator, denominator = mp.mpf(1), mp.mpf(1), mp.mpf(0)
    for index in range(1, 200_000):
        m = index // 2
        if index % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        denominator = 1 + term * denominator
        denominator = 1 / (denominator if denominator != 0 else tiny)
        numerator = 1 + term / numerator
        numerator = numerator if numerator != 0 else tiny
        change = numerator * denominator
        fraction *= change
        if abs(change - 1) < mp.mpf(10) ** -(DIGITS - 3):
            break
    log_front = a * mp.log(x) + b * mp.log1p(-x) - log_beta(a, b)
    return mp.exp(log_front) / (a * fraction)


def log_beta(a: Any, b: Any) -> Any:
    """ln B(a, b)."""
    mp = context()
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def log_anytime_martingale(votes: int, hits: int, p: Any) -> Any:
    """ln M_t(p), for p strictly between 0 and 1."""
    mp = context()
    half = mp.mpf(1) / 2
    misses = votes - hits
    return log_beta(half + hits, half + misses) - mp.log(mp.pi) - hits * mp.log(p) - misses * mp.log1p(-p)


@lru_cache(maxsize=256)
def anytime_lower_bound(votes: int, hits: int, delta: Any) -> Any:
    """The end below hits / votes of the set of p with M_t(p) < 1 / delta."""
    mp = context()
    if hits == 0:
        return mp.mpf(0)
    half = mp.mpf(1) / 2
    misses = votes - hits
    constant = log_beta(half + hits, half + misses) - mp.log(mp.pi) + mp.log(delta)

    # Positive below the root. In the log-odds u it is convex, and it falls up to the share of the hits.
    def excess(u: Any) -> Any:
        return constant + hits * mp.log1p(mp.exp(-u)) + misses * mp.log1p(mp.exp(u))

    def slope(u: Any) -> Any:
        return votes / (1 + mp.exp(-u)) - hits

    # Left of the root Newton's steps lead to the right and never beyond it.
    u = mp.log(mp.mpf(hits) / misses) if misses else mp.mpf(60)
    width = mp.mpf(1)
    while excess(u) < 0:
        u -= width
        width *= 2
    for _ in range(500):
        step = excess(u) / slope(u)
        u -= step
        if abs(step) <= mp.mpf(10) ** -_ROOT_DIGITS * max(1, abs(u)):
            break
    return 1 / (1 + mp.exp(-u))


@lru_cache(maxsize=256)
def clopper_pearson_lower_bound(votes: int, hits: int, delta: Any) -> Any:
    """The p at which `hits` or more of `votes` have the probability delta."""
    mp = context()
    if hits == 0:
        return mp.mpf(0)
    delta = mp.mpf(delta)
    if hits == votes:
        return delta ** (mp.mpf(1) / votes)
    target = mp.log(delta)
    log_b = log_beta(hits, votes - hits + 1)
    low, high = mp.mpf(0), mp.mpf(1)
    p = mp.mpf(hits) / votes
    for _ in range(500):
        tail = incomplete_beta(hits, votes - hits + 1, p)
        if tail < delta:
            low = p
        else:
            high = p
        log_density = (hits - 1) * mp.log(p) + (votes - hits) * mp.log1p(-p) - log_b
        step = (mp.log(tail) - target) * tail / mp.exp(log_density)
        new = p - step
        if not low < new < high:
            new = (low + high) / 2
        done = abs(new - p) <= mp.mpf(10) ** -_ROOT_DIGITS * p
        p = new
        if done:
            break
    return p


def lower_bound(bound: str, votes: int, hits: int, delta: Any) -> Any:
    """The lower bound of the probability of a class with `hits` of `votes`, by "anytime" or "clopper_pearson"."""
    if bound == "anytime":
        return anytime_lower_bound(votes, hits, delta)
    return clopper_pearson_lower_bound(votes, hits, delta)


def upper_bound(bound: str, votes: int, hits: int, delta: Any) -> Any:
    """The upper bound: the lower bound of the complement."""
    return 1 - lower_bound(bound, votes, votes - hits, delta)


@lru_cache(maxsize=256)
def log_target_e_value(votes: int, hits: int, p0: Any) -> Any:
    """ln E_t of the test of "p is more than p0", for p0 strictly between 0 and 1."""
    mp = context()
    half = mp.mpf(1) / 2
    misses = votes - hits
    above = incomplete_beta(half + misses, half + hits, 1 - p0)
    if above == 0:
        return mp.ninf
    prior = incomplete_beta(half, half, 1 - p0)
    return log_anytime_martingale(votes, hits, p0) + mp.log(above) - mp.log(prior)


def margin_needed(alpha: float) -> Any:
    """mu = (1 - alpha) / alpha; infinite at 0."""
    mp = context()
    return mp.inf if alpha == 0 else (1 - mp.mpf(alpha)) / mp.mpf(alpha)


def tight_width(alpha: float, p_lower: Any, p_upper: Any) -> Any:
    """The largest r / sigma with the margin of (T); 0 if the bounds have no more than it at r = 0."""
    mp = context()
    mu = margin_needed(alpha)
    p_lower = mp.mpf(p_lower)
    p_upper = min(mp.mpf(p_upper), 1 - p_lower)
    if p_lower - p_upper <= mu:
        return mp.mpf(0)
    at_class = normal_quantile(p_lower)
    # With p_upper = 1 - p_lower this is the answer. A smaller p_upper allows more.
    width = at_class - normal_quantile((1 + mu) / 2)
    if p_upper == 1 - p_lower:
        return width
    at_other = normal_quantile(p_upper)
    low, high = width, at_class - normal_quantile(mu) if mu > 0 else (at_class - at_other) / 2
    if not mp.isfinite(at_other):
        return high
    for _ in range(1000):
        excess = normal_cdf(at_class - width) - normal_cdf(at_other + width) - mu
        if excess >= 0:
            low = width
        else:
            high = width
        new = width + excess / (mp.npdf(at_class - width) + mp.npdf(at_other + width))
        if not low <= new <= high:
            new = (low + high) / 2
        done = abs(new - width) <= mp.mpf(10) ** -_ROOT_DIGITS
        width = new
        if done:
            break
    return width


def theorem2_width(alpha: float, p_lower: Any, p_upper: Any) -> Any:
    """Theorem 2's r / sigma; 0 if it is not positive."""
    mp = context()
    a = mp.mpf(alpha)
    p_lower = mp.mpf(p_lower)
    p_upper = min(mp.mpf(p_upper), 1 - p_lower)
    width = (normal_quantile(a * p_lower) - normal_quantile(a * p_upper + 1 - a)) / 2
    return width if width > 0 else mp.mpf(0)


def smoothed_radius(method: str, alpha: float, sigma: float, p_lower: Any, p_upper: Any) -> Any:
    """The radius by "tight" or "theorem2", before the snapping loss. 0 for an alpha of 1/2 or less."""
    mp = context()
    if not alpha > 0.5 or p_lower <= 0:
        return mp.mpf(0)
    width = tight_width if method == "tight" else theorem2_width
    return mp.mpf(sigma) * width(alpha, p_lower, p_upper)


@lru_cache(maxsize=256)
def required_probability(method: str, alpha: float, sigma: float, radius: float) -> Optional[Any]:
    """The p0 from which the target radius is certified (one side), or None if no probability below 1 is enough."""
    mp = context()
    if not alpha > 0.5:
        return None
    width = mp.mpf(radius) / mp.mpf(sigma)
    if method == "tight":
        p0 = normal_cdf(width + normal_quantile(1 / (2 * mp.mpf(alpha))))
    else:
        p0 = normal_cdf(width) / mp.mpf(alpha)
    return p0 if p0 < 1 else None
