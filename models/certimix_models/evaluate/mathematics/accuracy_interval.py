"""Accuracies with exact (Clopper-Pearson) 95 % intervals."""

import numpy as np
from scipy.stats import binomtest

CONFIDENCE = 0.95


def interval(correct: int, count: int) -> tuple[float, float]:
    """The exact 95 % interval of a share."""
    found = binomtest(correct, count).proportion_ci(CONFIDENCE, method="exact")
    return found.low, found.high


def row(hits: np.ndarray) -> dict:
    """Columns of a table, from one boolean an image; accuracies in per cent."""
    correct, images = int(hits.sum()), len(hits)
    low, high = interval(correct, images)
    share = {"accuracy": correct / images, "low": low, "high": high}
    return {"images": images, "correct": correct} | {name: f"{100 * value:.2f}" for name, value in share.items()}
