"""The formulas of docs/concepts/certificates.md in float64, written from that page alone: margins, radii and
bounds on votes.

alpha is the weight of the robust network h, g is the standard network, mu = (1 - alpha) / alpha.
"""

import math
from fractions import Fraction

import numpy as np
from scipy.special import betainc, log_softmax, ndtri

from certimix_models.evaluate.mathematics.confidence_bounds import log_evidence


def log_probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """ln softmax(logits / temperature), in float64."""
    return log_softmax(logits.astype(np.float64) / temperature, axis=1)


def log_mixture(alpha: float, log_g: np.ndarray, log_h: np.ndarray) -> np.ndarray:
    """Section 1: f_i = ln((1 - alpha) g_i + alpha h_i)."""
    if alpha in (0, 1):
        return log_h if alpha == 1 else log_g
    return np.logaddexp(math.log1p(-alpha) + log_g, math.log(alpha) + log_h)


def log_gated_mixture(alpha: float, fallback_alpha: float, log_g: np.ndarray, log_h: np.ndarray) -> np.ndarray:
    """Section 1 with the weights of the gated mixture."""
    is_open = robust_weights(alpha, fallback_alpha, np.exp(log_h)) == alpha
    return np.where(is_open[:, None], log_mixture(alpha, log_g, log_h), log_mixture(fallback_alpha, log_g, log_h))


def smallest_margin(probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """[N]: the probability of each row's class, minus the largest of the others."""
    rows = np.arange(len(classes))
    others = probabilities.copy()
    others[rows, classes] = -np.inf
    return probabilities[rows, classes] - others.max(axis=1)


def required_margin(alpha: float) -> float:
    """mu: the margin of h above which no g changes the mixture's class. Infinite at alpha 0."""
    return (1 - alpha) / alpha if alpha > 0 else math.inf


def robust_weights(alpha: float, fallback_alpha: float, robust: np.ndarray) -> np.ndarray:
    """[N]: the weight of h in a gated mixture, from the probabilities [N, K] of h. It is alpha where
    h's margin is at least mu, else `fallback_alpha`. With `fallback_alpha` = alpha the mixture is the
    paper's.
    """
    margins = smallest_margin(robust, robust.argmax(axis=1))
    return np.where(margins >= required_margin(alpha), alpha, fallback_alpha)


def logit_radius(alpha: float | np.ndarray, logits: np.ndarray, temperature: float, guarantee: dict) -> np.ndarray:
    """Section 2, logit space, for rows of logits. Four times the bound on a logit's error is
    subtracted from T phi. A radius of at most 0 is no certificate. `alpha` may be a column [A, 1],
    for radii [A, N].
    """
    ordered = np.sort(log_probabilities(logits, temperature), axis=1)
    log_y, log_i = ordered[:, -1], ordered[:, -2]
    log_rest = np.logaddexp.reduce(ordered[:, :-2], axis=1)
    with np.errstate(divide="ignore"):  # ln 0 = -inf at alpha 1, and at alpha up to 1/2, where nothing is certified
        # (1 - alpha)(1 - h_y) + alpha h_i = (1 - alpha) (the sum of h_j, j neither y nor i) + h_i
        log_others = np.logaddexp(np.log1p(-alpha) + log_rest, log_i)
        phi = np.log(np.maximum(2 * alpha - 1, 0)) + log_y - log_others
    margin_constant = {"logit_vector": math.sqrt(2), "each_logit": 2}[guarantee["constant_of"]] * guarantee["constant"]
    return (temperature * phi - 4 * guarantee["logit_error_bound"]) / margin_constant


def tight_radius(lower: float, lower_complement: float, alpha: float, sigma: float) -> float:
    """Section 3, (T) with pB = 1 - pA. `lower_complement` is 1 - pA."""
    quantile = -ndtri(lower_complement) if lower > 0.5 else ndtri(lower)
    return float(sigma * (quantile - ndtri(1 / (2 * alpha))))


def radius_sq_levels(radius: float, levels: int = 255) -> int:
    """The largest N with sqrt(N) / levels < radius, in exact arithmetic; 0 without a certificate."""
    return max(0, math.ceil((Fraction(max(radius, 0.0)) * levels) ** 2) - 1)


def is_target_accepted(hits: int, votes: int, failure_probability: float, p0: float) -> bool:
    """Section 4, "is p more than p0?": whether E_t has reached 1 / failure_probability."""
    upper_share = betainc(0.5 + votes - hits, 0.5 + hits, 1 - p0) / betainc(0.5, 0.5, 1 - p0)
    return upper_share > 0 and log_evidence(p0, hits, votes) + math.log(upper_share) >= -math.log(failure_probability)
