"""The norms of a matrix times the windows of an image, as a matrix or as the convolution that it is.

Conv and a MatMul with shifted copies of an image are the same product, so both come here and get
the same bounds.
"""

import math

import numpy as np

from certimix_models.prove.convolution_norm import convolution_norms
from certimix_models.prove.convolution_patterns import Convolution, match_convolution, window_index
from certimix_models.prove.summation_error import WeightNorms, matrix_norms
from certimix_models.prove.tensor_bounds import TensorBounds, TensorView

# A convolution with more elements under its windows is not compared with its matrix: that would
# need gigabytes.
MOST_WINDOW_ELEMENTS = 2**24


def window_product(view: TensorView, weight: np.ndarray) -> tuple[TensorBounds, WeightNorms]:
    """The source and the norms of weight [M, R] times the view [1, R, P], or [..., R, P]."""
    return _best_form(view.bounds, view.materialise(), weight, match_convolution(weight, view.index))


def convolution_product(
    view: TensorView, kernel: np.ndarray, stride: tuple[int, int], output: tuple[int, int], pads: list[int]
) -> tuple[TensorBounds, WeightNorms]:
    """The source and the norms of a convolution of the view [1, C, H, W]. `pads`: top, left,
    bottom, right.
    """
    top, left, bottom, right = pads
    padded = np.pad(view.index, [(0, 0), (0, 0), (top, bottom), (left, right)], constant_values=-1)
    used = [(size - 1) * step + taps for size, step, taps in zip(output, stride, kernel.shape[2:])]
    own = Convolution(kernel, stride, output, padded[:, :, : used[0], : used[1]])
    if math.prod(kernel.shape[1:]) * math.prod(output) > MOST_WINDOW_ELEMENTS:
        return _as_convolution(view.bounds, own)
    windows = TensorView(view.bounds, window_index(own))
    weight = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1)
    found = match_convolution(weight, windows.index)
    others = [] if found is None or found.is_like(own) else [found]
    return _best_form(view.bounds, windows.materialise(), weight, own, *others)


def _best_form(
    bounds: TensorBounds, windows: TensorBounds, weight: np.ndarray, *convolutions: Convolution | None
) -> tuple[TensorBounds, WeightNorms]:
    """The form with the smallest constant. Each is a valid description of the same product."""
    forms = [(windows, matrix_norms(weight))]
    forms += [_as_convolution(bounds, found) for found in convolutions if found is not None]
    return min(forms, key=lambda form: form[1].spectral * form[0].lipschitz)


def _as_convolution(bounds: TensorBounds, found: Convolution) -> tuple[TensorBounds, WeightNorms]:
    source = bounds if found.wraps else TensorView(bounds, found.image).materialise()
    return source, convolution_norms(found.kernel, found.stride, found.output, found.wraps)
