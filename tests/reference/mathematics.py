"""The mixture, the Clopper-Pearson bound and the radius, in float64 and by the simplest formulas."""

import math
from statistics import NormalDist

import numpy as np

LN_FLOOR = -708.3964185322641  # ln of the smallest normal float64, in place of ln 0


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float64) - np.float64(logits.max())
    return shifted - math.log(math.fsum(np.exp(shifted)))


def mixed_logits(log_g: np.ndarray, h: np.ndarray, alpha: float) -> np.ndarray:
    """Returns f_i = ln((1 - alpha) g_i + alpha h_i) (arXiv 2311.15165, equation 4)."""
    with np.errstate(divide="ignore"):
        mixed = np.logaddexp(np.log(1 - alpha) + log_g, np.log(alpha) + np.log(h))
    return np.maximum(mixed, LN_FLOOR)


def robust_weight(h: np.ndarray, alpha: float, fallback_alpha: float) -> float:
    """Returns the weight of h in the gated mixture: alpha if the margin of h is at least (1 - alpha) / alpha."""
    second, first = np.sort(h)[-2:]
    return alpha if alpha > 0 and first - second >= (1 - alpha) / alpha else fallback_alpha


def logit_radius(logits: np.ndarray, temperature: float, constant: float, error_bound: float, alpha: float) -> float:
    """Returns the l2 radius for logits that are `constant`-Lipschitz as a vector. If it is not positive, there is no certificate.

    Within the radius every difference z_y - z_j falls by at most d. Bisection finds the largest d that keeps the margin.
    """
    order = np.argsort(-logits, kind="stable")
    gaps = (logits[order[0]] - logits[order[1:]]).astype(np.float64)

    def keeps_the_margin(d: float) -> bool:
        powers = np.exp(-(gaps - d) / temperature)
        return (1 - powers.max()) / (1 + powers.sum()) >= (1 - alpha) / alpha

    if not keeps_the_margin(0.0):
        return -math.inf
    low, high = 0.0, float(gaps.min())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if keeps_the_margin(middle) else (low, middle)
    return (low - 4 * error_bound) / (math.sqrt(2) * constant)


def clopper_pearson_lower(successes: int, trials: int, failure_probability: float) -> float:
    """Returns BetaInv(failure_probability; successes, trials - successes + 1).

    This is the p where P(Bin(trials, p) >= successes) equals failure_probability. The probability increases with p, so
    bisection finds p. The function returns the lower end of the last interval.
    """
    if successes == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if binomial_tail(successes, trials, middle) < failure_probability:
            low = middle
        else:
            high = middle
    return low


def binomial_tail(successes: int, trials: int, p: float) -> float:
    """Returns P(Bin(trials, p) >= successes) for 0 < p < 1. The binomial coefficients are exact integers."""
    return math.fsum(
        math.exp(math.log(math.comb(trials, k)) + k * math.log(p) + (trials - k) * math.log1p(-p))
        for k in range(successes, trials + 1)
    )


def tight_radius(lower: float, sigma: float, alpha: float) -> float:
    """Returns the l2 radius within which h_y stays above 1 / (2 alpha), for pB = 1 - pA.

    If it is not positive, there is no certificate.
    """
    if lower <= 0:
        return -math.inf
    quantile = NormalDist().inv_cdf
    return sigma * (quantile(lower) - quantile(1 / (2 * alpha)))
