"""Votes of a smoothed network's base classifier, by ONNX Runtime, on pixels plus whole levels of
Gaussian noise.
"""

import numpy as np

from certimix_models.evaluate.networks.bundled_model import INFERENCE_BATCH, BundledModel


def noisy_copies(levels: np.ndarray, count: int, sigma: float, generator: np.random.Generator) -> np.ndarray:
    """float32 [count, 3, 32, 32]. The noise is rounded to whole levels, the sum is not clipped, and
    divided by 255 once.
    """
    noise = np.rint(generator.standard_normal((count, *levels.shape)) * (255 * sigma)).astype(np.int64)
    return (levels.astype(np.int64) + noise).astype(np.float32) / np.float32(255)


def count_votes(h: BundledModel, levels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """[K] votes. A row with a NaN votes for no class."""
    sigma, counts = h.manifest["guarantee"]["sigma"], np.zeros(len(h.manifest["labels"]), np.int64)
    for start in range(0, count, INFERENCE_BATCH):
        logits = h.logits(noisy_copies(levels, min(INFERENCE_BATCH, count - start), sigma, generator))
        logits = logits[~np.isnan(logits).any(axis=1)]
        counts += np.bincount(logits.argmax(axis=1), minlength=len(counts))
    return counts
