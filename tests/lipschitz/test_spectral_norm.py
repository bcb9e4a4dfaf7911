"""Proved norms are above the true ones, and hardly."""

import unittest

import paths  # noqa: F401
import numpy as np
from lipschitz.convolution import convolution_norm
from lipschitz.spectral import norm


def largest(stack: np.ndarray) -> float:
    return float(np.linalg.svd(stack, compute_uv=False).max())


class Norms(unittest.TestCase):
    def assert_tight(self, proved: float, true: float, at_most: float = 1e-5):
        self.assertGreaterEqual(proved, true * (1 - 1e-13))
        self.assertLessEqual(proved, true * (1 + at_most))

    def test_of_matrices(self):
        random = np.random.default_rng(1)
        for shape in [(1, 1), (3, 5), (40, 7), (64, 64), (50, 90), (5, 20, 30), (3, 33, 40)]:
            matrices = random.standard_normal(shape)
            self.assert_tight(norm(matrices), largest(matrices), 1e-3)
            waves = matrices + 1j * random.standard_normal(shape)
            self.assert_tight(norm(waves), largest(waves), 1e-3)

    def test_where_all_singular_values_are_equal(self):
        random = np.random.default_rng(2)
        for size in (8, 64, 200):
            orthogonal = np.linalg.qr(random.standard_normal((size, size)))[0]
            self.assert_tight(norm(orthogonal), 1.0)
            self.assert_tight(norm(orthogonal[:, : size // 2]), 1.0)

    def test_of_what_is_degenerate(self):
        self.assertLess(norm(np.zeros((4, 6))), 1e-100)
        self.assert_tight(norm(np.full((40, 50), 1e-30)), 1e-30 * np.sqrt(2000))
        self.assert_tight(norm(np.outer(np.arange(40.0), np.arange(50.0))), largest(np.outer(np.arange(40.0), np.arange(50.0))))
        with self.assertRaises(ValueError):
            norm(np.array([[1.0, np.nan]]))

    def test_of_a_bad_estimate(self):
        """The second value is alone and close to the first: power iterations are slow, and the proof must not be fooled."""
        values = np.array([1.0, 0.9999] + [0.5] * 62)
        random = np.random.default_rng(3)
        left, right = (np.linalg.qr(random.standard_normal((64, 64)))[0] for _ in range(2))
        self.assert_tight(norm(left * values @ right), 1.0, 1e-3)


class Convolutions(unittest.TestCase):
    def test_of_the_identity(self):
        kernel = np.zeros((5, 5, 3, 3))
        kernel[range(5), range(5), 1, 1] = 1
        for wraps in (False, True):
            proved = convolution_norm(kernel, (1, 1), (6, 6), wraps)
            self.assertGreaterEqual(proved, 1.0)
            self.assertLess(proved, 1 + 1e-7)


if __name__ == "__main__":
    unittest.main()
