"""The attacker: adds a pattern of a limited l2 norm to what the camera sees, to steer the car to the left.

The pattern is found by gradient ascent on the served mixture. The gradient comes from finite differences: the
attacker asks the server about the current image with each block of 2 x 2 pixels a little brighter. Each tick
continues from the pattern of the last one, because the scene changes slowly.
"""

from __future__ import annotations

from typing import Callable

import certimix
import numpy as np
from numpy.typing import NDArray

from lane_keeping.plant import LABELS, SIZE, Image

Probabilities = Callable[[Image], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""The standard and the robust model's probabilities [N, K] for N images."""

WANTED_CLASS = LABELS.index("left")
BLOCK = 2  # rows and columns of a block
STEP = 0.5  # of the budget, in one tick
DIFFERENCE = 0.02  # of brightness, in a finite difference
SMALLEST = 1e-37  # probability whose logarithm is taken
# The attack needs both models: the robust one must lose its margin before the standard one decides. Neither has to be
# pushed further than this.
STANDARD_MARGIN, ROBUST_MARGIN = 2.0, 15.0
ROBUST_WEIGHT = 2.0


def block_patterns() -> Image:
    """Each block of pixels alone, [B, 1, SIZE, SIZE]."""
    side = SIZE // BLOCK
    unit = np.eye(side * side, dtype=np.float32).reshape(-1, 1, side, side)
    return unit.repeat(BLOCK, axis=2).repeat(BLOCK, axis=3)


class Attacker:
    """Keeps the pattern from tick to tick."""

    def __init__(self, probabilities: Probabilities) -> None:
        self._probabilities = probabilities
        self._blocks = block_patterns()
        self._pattern: Image = np.zeros((1, SIZE, SIZE), np.float32)

    def pattern(self, scene: Image, budget: float) -> Image:
        """A pattern of l2 norm `budget` at most, [1, SIZE, SIZE]."""
        pattern = limited(self._pattern, budget)
        if budget > 0:
            start = np.clip(scene + pattern, 0.0, 1.0)
            probes = np.clip(start + DIFFERENCE * self._blocks, 0.0, 1.0)
            try:
                gains = self._gains(np.concatenate([start[np.newaxis], probes]))
            except certimix.CertimixError:
                return pattern  # without an answer the attacker keeps its pattern
            gradient = np.tensordot(gains[1:] - gains[0], self._blocks, axes=1)
            norm = float(np.linalg.norm(gradient))
            if norm > 0:
                pattern = limited((pattern + STEP * budget * gradient / norm).astype(np.float32), budget)
        self._pattern = pattern
        return pattern

    def _gains(self, images: Image) -> NDArray[np.float64]:
        """How far each image is on the way to the wanted class, in both models, [N]."""
        standard, robust = (lead(probabilities) for probabilities in self._probabilities(images))
        return np.minimum(standard, STANDARD_MARGIN) + ROBUST_WEIGHT * np.minimum(robust, ROBUST_MARGIN)


def lead(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log-odds of the wanted class against the best other one, [N]."""
    logarithms = np.log(np.maximum(probabilities, SMALLEST))
    others = np.delete(logarithms, WANTED_CLASS, axis=1).max(axis=1)
    return np.asarray(logarithms[:, WANTED_CLASS] - others)


def limited(pattern: Image, budget: float) -> Image:
    """The pattern, made smaller if its norm is above `budget`."""
    norm = float(np.linalg.norm(pattern.astype(np.float64)))
    return pattern if norm <= budget else (pattern * (budget / norm * (1 - 1e-6))).astype(np.float32)
