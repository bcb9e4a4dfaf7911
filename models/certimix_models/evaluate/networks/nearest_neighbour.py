"""The class of the nearest training image in l2, exactly, by blocked matrix products.

float32 products select every candidate that rounding may hide: a bound on their error is added to
the smallest distance found. The distances of the candidates are then computed in float64 from the
differences themselves. Among equal distances the earlier image wins.
"""

import numpy as np

BLOCK = 5_000
UNIT_ROUNDOFF = 2.0**-24  # float32


class NearestNeighbour:
    """The nearest of a set of images."""

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        """Images are uint8 [N, 3, 32, 32]. A pixel is its level over 255, in float32, as in the
        input of the networks.
        """
        self.images = images.reshape(len(images), -1)
        self.labels = labels.astype(np.int64)
        # Norms, and with them rounding errors, are smaller around the middle of the range.
        self.squares = np.concatenate(
            [(self._block(start).astype(np.float64) ** 2).sum(axis=1) for start in range(0, len(images), BLOCK)]
        )

    def _block(self, start: int) -> np.ndarray:
        return _centred_pixels(self.images[start : start + BLOCK])

    def classes(self, images: np.ndarray) -> np.ndarray:
        """The class of each image's nearest neighbour."""
        return self.labels[self.indices(images)]

    def indices(self, images: np.ndarray) -> np.ndarray:
        """The index of each image's nearest neighbour. Images are float32 [N, 3, 32, 32] in [0, 1]."""
        queries = images.reshape(len(images), -1) - np.float32(0.5)
        # |query - image|^2 - |query|^2 has its minimum at the same image.
        scores = np.concatenate(
            [
                self.squares[start : start + BLOCK] - 2 * (queries @ self._block(start).T).astype(np.float64)
                for start in range(0, len(self.images), BLOCK)
            ],
            axis=1,
        )
        # A dot product of n terms, summed in any order, is off by at most n u / (1 - n u) times the
        # product of the norms.
        n_u = queries.shape[1] * UNIT_ROUNDOFF
        lengths = np.linalg.norm(queries.astype(np.float64), axis=1)
        bound = 2 * n_u / (1 - n_u) * lengths * np.sqrt(self.squares.max()) + 1e-6
        candidate_limits = scores.min(axis=1) + 2 * bound
        return np.array(
            [
                self._best(query, np.flatnonzero(row <= candidate_limit))
                for query, row, candidate_limit in zip(queries, scores, candidate_limits)
            ]
        )

    def _best(self, query: np.ndarray, candidates: np.ndarray) -> int:
        differences = _centred_pixels(self.images[candidates]).astype(np.float64) - query
        return int(candidates[(differences**2).sum(axis=1).argmin()])


# A table instead of a division: a block has fifteen million pixels.
CENTRED_LEVELS = (np.arange(256) / 255).astype(np.float32) - np.float32(0.5)


def _centred_pixels(levels: np.ndarray) -> np.ndarray:
    return CENTRED_LEVELS[levels]
