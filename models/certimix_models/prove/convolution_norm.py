"""Upper bounds of the norms of convolutions, for inputs of the size at hand, with zero padding or on a torus.

A convolution of stride s is one of stride 1 on the s^2 phases of its input, which are channels of their own: splitting
into phases is a permutation, so nothing is lost (a kernel as wide as its stride becomes a single matrix).

On an N x M torus the convolution of stride 1 is block-diagonal in the frequencies, so its norm is that of the largest of
the N M matrices K(f) = sum over taps of W_tap e^(-2 pi i f.tap). With zero padding it is a compression of the one on the
torus that is T - 1 wider than the output (T taps): the input is put there, surrounded by zeros, and all but the output is cut off.
K(-f) is the conjugate of K(f), so that half of the frequencies are enough.
"""

import numpy as np

from .rounding import DOUBLE, gamma, length, product, total
from .spectral import norm


def phases(kernel: np.ndarray, stride: tuple[int, int]) -> np.ndarray:
    """The kernel [outputs, inputs, kh, kw] of stride `stride` as one of stride 1, [outputs, inputs * s * s, th, tw]."""
    outputs, inputs, height, width = kernel.shape
    down, right = stride
    padded = np.pad(kernel, [(0, 0), (0, 0), (0, -height % down), (0, -width % right)])
    th, tw = padded.shape[2] // down, padded.shape[3] // right
    split = padded.reshape(outputs, inputs, th, down, tw, right)
    return split.transpose(0, 1, 3, 5, 2, 4).reshape(outputs, inputs * down * right, th, tw)


def convolution_norm(kernel: np.ndarray, stride: tuple[int, int], output: tuple[int, int], wraps: bool) -> float:
    """`output` is the height and width of what comes out. If `wraps`, the input is a torus of stride times that size."""
    kernel = phases(np.asarray(kernel, dtype=np.float64), stride)
    outputs, inputs, th, tw = kernel.shape
    size = output if wraps else (output[0] + th - 1, output[1] + tw - 1)
    rows, columns = _waves(size[0], th), _waves(size[1], tw)[: size[1] // 2 + 1]
    waves = np.einsum("ft,gs->fgts", rows, columns).reshape(-1, th * tw)
    taps = kernel.reshape(outputs * inputs, th * tw)
    symbols = (waves @ taps.T).reshape(-1, outputs, inputs)
    # A wave, a product of two, is off by less than 64 u; a complex sum of taps by gamma of four times its length. So a symbol's entry
    # is off by that times the sum of its taps' absolute values, which in Frobenius norm is at most sqrt(taps) ||kernel||_F.
    error = product(gamma(4 * th * tw + 128, DOUBLE), np.sqrt(th * tw) + 1, length(kernel))
    return total(norm(symbols), error)


def _waves(size: int, taps: int) -> np.ndarray:
    """e^(-2 pi i f t / size), [frequency, tap]; the angle is reduced in integers, so that it is off by a few u only."""
    turns = np.outer(np.arange(size), np.arange(taps)) % size
    return np.exp(-2j * np.pi * turns / size)


def absolute_norm(kernel: np.ndarray, stride: tuple[int, int]) -> float:
    """At least the norm of the convolution with |kernel|: its largest symbol is that of frequency 0, the sum of the taps."""
    sums = phases(np.abs(np.asarray(kernel, dtype=np.float64)), stride).sum(axis=(2, 3))
    return product(norm(sums), 1 + gamma(kernel.shape[2] * kernel.shape[3], DOUBLE))
