"""Accuracies with exact (Clopper-Pearson) 95 % intervals."""

import numpy as np
from scipy.stats import binomtest

CONFIDENCE = 0.95


def clopper_pearson_interval(correct: int, count: int) -> tuple[float, float]:
    """The exact 95 % interval of a share."""
    interval = binomtest(correct, count).proportion_ci(CONFIDENCE, method="exact")
    return interval.low, interval.high


def accuracy_columns(is_correct: np.ndarray) -> dict:
    """The columns of a table, from one boolean for each image; accuracies in per cent."""
    correct, images = int(is_correct.sum()), len(is_correct)
    low, high = clopper_pearson_interval(correct, images)
    share = {"accuracy": correct / images, "low": low, "high": high}
    return {"images": images, "correct": correct} | {name: f"{100 * value:.2f}" for name, value in share.items()}
