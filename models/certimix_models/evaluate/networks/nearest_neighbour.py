"""The class of the nearest training image in l2, exactly, by blocked matrix products.

float32 products find every candidate that rounding could hide (a bound on their error is added to the smallest
distance found), and the candidates' distances are then computed in float64 from the differences themselves. Equal
distances go to the earlier image.
"""

import numpy as np

BLOCK = 5_000
UNIT = 2.0**-24  # of rounding, in float32


class Nearest:
    def __init__(self, images: np.ndarray, labels: np.ndarray):
        """uint8 [N, 3, 32, 32]; a pixel is its level over 255, in float32, as the networks see it."""
        self.images = images.reshape(len(images), -1)
        self.labels = labels.astype(np.int64)
        # About the middle of the range norms, and with them the rounding errors, are smaller.
        self.squares = np.concatenate(
            [(self._block(start).astype(np.float64) ** 2).sum(axis=1) for start in range(0, len(images), BLOCK)]
        )

    def _block(self, start: int) -> np.ndarray:
        return _centred(self.images[start : start + BLOCK])

    def classes(self, images: np.ndarray) -> np.ndarray:
        return self.labels[self.indices(images)]

    def indices(self, images: np.ndarray) -> np.ndarray:
        """float32 [N, 3, 32, 32] in [0, 1]."""
        queries = images.reshape(len(images), -1) - np.float32(0.5)
        # |query - image|^2 - |query|^2, which has its minimum at the same image.
        scores = np.concatenate(
            [
                self.squares[start : start + BLOCK] - 2 * (queries @ self._block(start).T).astype(np.float64)
                for start in range(0, len(self.images), BLOCK)
            ],
            axis=1,
        )
        # A dot product of n terms is off by at most n u / (1 - n u) times the product of the norms, in whatever order.
        n_u = queries.shape[1] * UNIT
        lengths = np.linalg.norm(queries.astype(np.float64), axis=1)
        bound = 2 * n_u / (1 - n_u) * lengths * np.sqrt(self.squares.max()) + 1e-6
        limit = scores.min(axis=1) + 2 * bound
        return np.array(
            [self._best(query, np.flatnonzero(row <= most)) for query, row, most in zip(queries, scores, limit)]
        )

    def _best(self, query: np.ndarray, candidates: np.ndarray) -> int:
        differences = _centred(self.images[candidates]).astype(np.float64) - query
        return int(candidates[(differences**2).sum(axis=1).argmin()])


# Looked up rather than divided: a block has fifteen million pixels.
CENTRED = (np.arange(256) / 255).astype(np.float32) - np.float32(0.5)


def _centred(levels: np.ndarray) -> np.ndarray:
    return CENTRED[levels]
