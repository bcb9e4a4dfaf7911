"""The mixture's class and its radii for many images at once (docs/concepts/certificates.md, sections 1 to
3), in float64.

The server computes the same with every rounding to the safe side. A radius of 0 is no certificate.
"""

import numpy as np
from scipy.special import softmax
from scipy.stats import norm

from certimix_models.evaluate.mathematics import certificate_formulas


def mixture_classes(alpha: float, standard: np.ndarray, robust: np.ndarray) -> np.ndarray:
    """The classes of mixtures of probabilities [N, K]."""
    return ((1 - alpha) * standard + alpha * robust).argmax(axis=1)


def gated_classes(alpha: float, fallback_alpha: float, standard: np.ndarray, robust: np.ndarray) -> np.ndarray:
    """The classes of gated mixtures of probabilities [N, K]."""
    weights = certificate_formulas.robust_weights(alpha, fallback_alpha, robust)[:, None]
    return ((1 - weights) * standard + weights * robust).argmax(axis=1)


def tight_radii(alpha: float, sigma: float, lower: np.ndarray) -> np.ndarray:
    """The tight radii, from lower bounds of the class's probability alone; alpha above 1/2."""
    return np.maximum(0, sigma * (norm.ppf(lower) - norm.ppf(1 / (2 * alpha))))


def theorem2_radii(alpha: float, sigma: float, lower: np.ndarray) -> np.ndarray:
    """The radii of Theorem 2, from lower bounds of the class's probability."""
    return np.maximum(0, sigma * norm.ppf(alpha * lower))


def theorem1_smoothed_radii(alpha: float, sigma: float, lower: np.ndarray) -> np.ndarray:
    """The radii of Theorem 1. Each smoothed probability is 1 / (sigma sqrt(2 pi))-Lipschitz."""
    constant = 1 / (sigma * np.sqrt(2 * np.pi))
    return np.maximum(0, (alpha * (2 * lower - 1) + alpha - 1) / (2 * alpha * constant))


def two_largest(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest and the second largest value of each row."""
    ordered = np.sort(values, axis=1)
    return ordered[:, -1], ordered[:, -2]


def logit_space_radii(alpha: float, temperature: float, logits: np.ndarray, guarantee: dict) -> np.ndarray:
    """The radii in logit space of a Lipschitz network."""
    return np.maximum(0, certificate_formulas.logit_radius(alpha, logits, temperature, guarantee))


def theorem1_lipschitz_radii(alpha: float, temperature: float, logits: np.ndarray, guarantee: dict) -> np.ndarray:
    """The radii of Theorem 1. A component of softmax is sqrt(2)/4-Lipschitz in its logits. The
    rounding of the logits is subtracted as in logit space.
    """
    largest, second = two_largest(softmax(logits / temperature, axis=1))
    slope = np.sqrt(2) / 4 * guarantee["constant"] / temperature
    # error of h_y - h_i: each of the two moves by at most error / (2 T), at x and at x'
    margin_error = 2 * guarantee["logit_error_bound"] / temperature
    return np.maximum(0, (alpha * (largest - second - margin_error) + alpha - 1) / (2 * alpha * slope))


def robust_network_radii(logits: np.ndarray, guarantee: dict) -> np.ndarray:
    """The radii of the Lipschitz network without a mixture."""
    largest, second = two_largest(logits)
    return np.maximum(0, (largest - second - 4 * guarantee["logit_error_bound"]) / (np.sqrt(2) * guarantee["constant"]))
