"""The bounds after a linear layer, and after a 1-Lipschitz operator.

Rounding: if its inputs are off by e, a linear layer W computes W a + b off by at most

    ||W|| e + gamma_n (|| |W| || (||a|| + e) + ||b||),     n = the products that one output sums, and four more.

The four are for the bias, for Gemm's factor, and for a factor that the runtime may fold into the weights. Every factor
before the layer adds one more.
"""

import math

import numpy as np

from certimix_models.prove.directed_rounding import (
    FLOAT64_UNIT,
    SMALLEST_NORMAL,
    UNIT_ROUNDOFF,
    gamma,
    l2_norm_up,
    product_up,
    sum_up,
)
from certimix_models.prove.tensor_bounds import TensorBounds, TensorView, full_view


def linear_layer(
    source: TensorBounds, result: np.ndarray, weight: tuple[float, float], terms: int, bias: float
) -> TensorView:
    """The bounds after W a + b. `weight`: at least the norms of W and |W|; `bias`: at least the
    norm of b; `result`: W centre + b in float64.
    """
    norm_bound, absolute_bound = weight
    terms += 4 + source.pending_factors

    def error(input_error: float, at_most: float, unit: float) -> float:
        rounded = product_up(gamma(terms, unit), sum_up(product_up(absolute_bound, at_most), bias))
        return sum_up(product_up(norm_bound, input_error), rounded, terms * math.sqrt(result.size) * SMALLEST_NORMAL)

    centre_length = sum_up(l2_norm_up(source.centre), source.centre_error)
    values = TensorBounds(
        centre=result.ravel(),
        centre_error=error(source.centre_error, centre_length, FLOAT64_UNIT),
        lipschitz=product_up(norm_bound, source.lipschitz),
        input_radius=source.input_radius,
        error=error(source.error, source.computed_norm, UNIT_ROUNDOFF[source.dtype]),
        dtype=source.dtype,
        open_terms=terms,
        open_magnitude=sum_up(product_up(absolute_bound, source.computed_norm), bias),
    )
    return full_view(values, result.shape)


def nonexpansive_layer(source: TensorBounds, result: np.ndarray) -> TensorView:
    """The bounds after a 1-Lipschitz operator that rounds nothing."""
    values = TensorBounds(
        result.ravel(), source.centre_error, source.lipschitz, source.input_radius, source.error, source.dtype
    )
    return full_view(values, result.shape)
