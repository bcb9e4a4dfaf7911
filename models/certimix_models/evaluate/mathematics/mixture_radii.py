"""The mixture's class and its radii for many images at once (docs/concepts/certificates.md, sections 1 to 3), in float64.

The server computes the same with every rounding against it. A radius of 0 is no certificate.
"""

import exact
import numpy as np
from scipy.special import softmax
from scipy.stats import norm


def classes(alpha: float, standard: np.ndarray, robust: np.ndarray) -> np.ndarray:
    """The classes of mixtures of probabilities [N, K]."""
    return ((1 - alpha) * standard + alpha * robust).argmax(axis=1)


def tight(alpha: float, sigma: float, lower: np.ndarray) -> np.ndarray:
    """From lower bounds of the class's probability alone; alpha above 1/2."""
    return np.maximum(0, sigma * (norm.ppf(lower) - norm.ppf(1 / (2 * alpha))))


def theorem2(alpha: float, sigma: float, lower: np.ndarray) -> np.ndarray:
    return np.maximum(0, sigma * norm.ppf(alpha * lower))


def theorem1_smoothed(alpha: float, sigma: float, lower: np.ndarray) -> np.ndarray:
    """Each smoothed probability is 1 / (sigma sqrt(2 pi))-Lipschitz."""
    constant = 1 / (sigma * np.sqrt(2 * np.pi))
    return np.maximum(0, (alpha * (2 * lower - 1) + alpha - 1) / (2 * alpha * constant))


def two_largest(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ordered = np.sort(values, axis=1)
    return ordered[:, -1], ordered[:, -2]


def logit_space(alpha: float, temperature: float, logits: np.ndarray, guarantee: dict) -> np.ndarray:
    return np.maximum(0, exact.logit_radius(alpha, logits, temperature, guarantee))


def theorem1_lipschitz(alpha: float, temperature: float, logits: np.ndarray, guarantee: dict) -> np.ndarray:
    """A component of softmax is sqrt(2)/4-Lipschitz in its logits; their rounding is taken off as it is in logit space."""
    largest, second = two_largest(softmax(logits / temperature, axis=1))
    slope = np.sqrt(2) / 4 * guarantee["constant"] / temperature
    lost = 2 * guarantee["logit_error_bound"] / temperature  # of h_y - h_i: each of the two moves by error / (2 T) at most, at x and at x' alike
    return np.maximum(0, (alpha * (largest - second - lost) + alpha - 1) / (2 * alpha * slope))


def alone(logits: np.ndarray, guarantee: dict) -> np.ndarray:
    """Of the Lipschitz network by itself."""
    largest, second = two_largest(logits)
    return np.maximum(0, (largest - second - 4 * guarantee["logit_error_bound"]) / (np.sqrt(2) * guarantee["constant"]))
