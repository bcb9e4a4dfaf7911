"""Proved norms are at least the true ones, and exceed them by little."""

import unittest

import numpy as np

from certimix_models.prove.convolution_norm import convolution_norms
from certimix_models.prove.spectral_norm import spectral_norm_bound


def largest_singular_value(stack: np.ndarray) -> float:
    return float(np.linalg.svd(stack, compute_uv=False).max())


class SpectralNormTest(unittest.TestCase):
    def assert_tight(self, proved: float, true: float, tolerance: float = 1e-5):
        self.assertGreaterEqual(proved, true * (1 - 1e-13))
        self.assertLessEqual(proved, true * (1 + tolerance))

    def test_random_matrices(self):
        random = np.random.default_rng(1)
        for shape in [(1, 1), (3, 5), (40, 7), (64, 64), (50, 90), (5, 20, 30), (3, 33, 40)]:
            matrices = random.standard_normal(shape)
            self.assert_tight(spectral_norm_bound(matrices), largest_singular_value(matrices), 1e-3)
            complex_matrices = matrices + 1j * random.standard_normal(shape)
            self.assert_tight(spectral_norm_bound(complex_matrices), largest_singular_value(complex_matrices), 1e-3)

    def test_equal_singular_values(self):
        random = np.random.default_rng(2)
        for size in (8, 64, 200):
            orthogonal = np.linalg.qr(random.standard_normal((size, size)))[0]
            self.assert_tight(spectral_norm_bound(orthogonal), 1.0)
            self.assert_tight(spectral_norm_bound(orthogonal[:, : size // 2]), 1.0)

    def test_degenerate_matrices(self):
        self.assertLess(spectral_norm_bound(np.zeros((4, 6))), 1e-100)
        self.assert_tight(spectral_norm_bound(np.full((40, 50), 1e-30)), 1e-30 * np.sqrt(2000))
        self.assert_tight(
            spectral_norm_bound(np.outer(np.arange(40.0), np.arange(50.0))),
            largest_singular_value(np.outer(np.arange(40.0), np.arange(50.0))),
        )
        with self.assertRaises(ValueError):
            spectral_norm_bound(np.array([[1.0, np.nan]]))

    def test_inaccurate_estimate(self):
        """The largest value is alone and close to the next: power iterations converge slowly. The
        proof must hold all the same.
        """
        values = np.array([1.0, 0.9999] + [0.5] * 62)
        random = np.random.default_rng(3)
        left, right = (np.linalg.qr(random.standard_normal((64, 64)))[0] for _ in range(2))
        self.assert_tight(spectral_norm_bound(left * values @ right), 1.0, 1e-3)


class ConvolutionNormTest(unittest.TestCase):
    def test_identity(self):
        kernel = np.zeros((5, 5, 3, 3))
        kernel[range(5), range(5), 1, 1] = 1
        for wraps in (False, True):
            proved = convolution_norms(kernel, (1, 1), (6, 6), wraps).spectral
            self.assertGreaterEqual(proved, 1.0)
            self.assertLess(proved, 1 + 1e-7)


if __name__ == "__main__":
    unittest.main()
