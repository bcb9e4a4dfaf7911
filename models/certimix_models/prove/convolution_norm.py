"""Upper bounds of the norms of convolutions, for the input size at hand, with zero padding or on a
torus.

A convolution of stride s equals one of stride 1 on the s^2 phases of its input, which become
channels of their own. Splitting into phases is a permutation, so the bound stays exact. A kernel as
wide as its stride becomes a single matrix.

On an N x M torus the convolution of stride 1 is block-diagonal in the frequencies. Its norm is the
largest norm among the N M matrices K(f) = sum over taps of W_tap e^(-2 pi i f.tap). A convolution
with zero padding is a compression of the convolution on a torus that is T - 1 wider than the output
(T taps): the input is embedded in it, surrounded by zeros, and everything but the output is cut
off. K(-f) is the conjugate of K(f), so half of the frequencies suffice.

Along an axis on which the result has one pixel, the stride does not matter. The kernel then counts
as one as wide as its stride.
"""

import numpy as np

from certimix_models.prove.directed_rounding import FLOAT64_UNIT, gamma, l2_norm_up, product_up, sum_up
from certimix_models.prove.spectral_norm import spectral_norm_bound
from certimix_models.prove.summation_error import WeightNorms, largest_column_norm


def polyphase_kernel(kernel: np.ndarray, stride: tuple[int, int]) -> np.ndarray:
    """The kernel [outputs, inputs, kh, kw] of stride `stride` as one of stride 1, [outputs, inputs
    * s * s, tap_rows, tap_columns].
    """
    outputs, inputs, height, width = kernel.shape
    row_stride, column_stride = stride
    padded = np.pad(kernel, [(0, 0), (0, 0), (0, -height % row_stride), (0, -width % column_stride)])
    tap_rows, tap_columns = padded.shape[2] // row_stride, padded.shape[3] // column_stride
    split = padded.reshape(outputs, inputs, tap_rows, row_stride, tap_columns, column_stride)
    return split.transpose(0, 1, 3, 5, 2, 4).reshape(
        outputs, inputs * row_stride * column_stride, tap_rows, tap_columns
    )


def convolution_norms(kernel: np.ndarray, stride: tuple[int, int], output: tuple[int, int], wraps: bool) -> WeightNorms:
    """The norms of the convolution. `output` is the height and width of its result. If `wraps`, the
    input is a torus of `stride` times that size.
    """
    kernel = np.asarray(kernel, dtype=np.float64)
    if not wraps:
        stride = tuple(taps if size == 1 else step for step, size, taps in zip(stride, output, kernel.shape[2:]))
    phases = polyphase_kernel(kernel, stride)
    taps = phases.shape[2] * phases.shape[3]
    # The largest symbol of |kernel| is that of frequency 0, the sum of the taps.
    absolute = product_up(spectral_norm_bound(np.abs(phases).sum(axis=(2, 3))), 1 + gamma(taps, FLOAT64_UNIT))
    # One input is in at most one product of each output channel and tap.
    column = largest_column_norm(phases.transpose(0, 2, 3, 1).reshape(-1, phases.shape[1]))
    return WeightNorms(_spectral_norm(phases, output, wraps), absolute, column)


def _spectral_norm(kernel: np.ndarray, output: tuple[int, int], wraps: bool) -> float:
    """At least the norm of a convolution of stride 1."""
    outputs, inputs, tap_rows, tap_columns = kernel.shape
    # The symbols of a single tap are equal, so one frequency suffices.
    size = [
        1 if taps == 1 else pixels if wraps else pixels + taps - 1
        for pixels, taps in zip(output, (tap_rows, tap_columns))
    ]
    rows, columns = (_fourier_factors(size[0], tap_rows), _fourier_factors(size[1], tap_columns)[: size[1] // 2 + 1])
    factors = np.einsum("ft,gs->fgts", rows, columns).reshape(-1, tap_rows * tap_columns)
    taps = kernel.reshape(outputs * inputs, tap_rows * tap_columns)
    symbols = (factors @ taps.T).reshape(-1, outputs, inputs)
    # A Fourier factor is a product of two and off by less than 64 u. A complex sum of taps is off
    # by gamma of four times its length. So the entry of a symbol is off by that times the sum of
    # its taps' absolute values, which in Frobenius norm is at most sqrt(taps) ||kernel||_F.
    error = product_up(
        gamma(4 * tap_rows * tap_columns + 128, FLOAT64_UNIT), np.sqrt(tap_rows * tap_columns) + 1, l2_norm_up(kernel)
    )
    return sum_up(spectral_norm_bound(symbols), error)


def _fourier_factors(size: int, taps: int) -> np.ndarray:
    """e^(-2 pi i f t / size), [frequency, tap]. The angle is reduced in integers, so that it is off
    by a few u only.
    """
    turns = np.outer(np.arange(size), np.arange(taps)) % size
    return np.exp(-2j * np.pi * turns / size)
