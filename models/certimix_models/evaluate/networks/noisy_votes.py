"""Votes of a smoothed network's base classifier, by ONNX Runtime, at pixels plus whole levels of Gaussian noise."""

import models
import numpy as np
from models import BATCH


def noisy(levels: np.ndarray, count: int, sigma: float, random: np.random.Generator) -> np.ndarray:
    """float32 [count, 3, 32, 32]: the noise is rounded to whole levels, the sum not clipped, and divided by 255 once."""
    noise = np.rint(random.standard_normal((count, *levels.shape)) * (255 * sigma)).astype(np.int64)
    return (levels.astype(np.int64) + noise).astype(np.float32) / np.float32(255)


def counts(h: models.Model, levels: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """[K] votes. A row with a NaN votes for no class."""
    sigma, total = h.manifest["guarantee"]["sigma"], np.zeros(len(h.manifest["labels"]), np.int64)
    for start in range(0, count, BATCH):
        logits = h.logits(noisy(levels, min(BATCH, count - start), sigma, random))
        logits = logits[~np.isnan(logits).any(axis=1)]
        total += np.bincount(logits.argmax(axis=1), minlength=len(total))
    return total
