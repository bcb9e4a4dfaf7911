"""The bounds after a linear layer, and after a 1-Lipschitz operator.

Rounding: if its inputs are off by e, a linear layer computes W a + b off by at most ||W|| e, plus
the rounding of its own sums (`summation_error`).
"""

import numpy as np

from certimix_models.prove.directed_rounding import FLOAT64_UNIT, UNIT_ROUNDOFF, l2_norm_up, product_up, sum_up
from certimix_models.prove.summation_error import WeightNorms, layer_rounding_bound
from certimix_models.prove.tensor_bounds import TensorBounds, TensorView, full_view

# The roundings of a product or of its weight, beside that of the product itself: the bias, Gemm's
# factor, and two factors that the runtime may fold into the weights.
FACTORS = 4


def linear_layer(
    source: TensorBounds, result: np.ndarray, norms: WeightNorms, products: int, bias: float, scale: float = 1.0
) -> TensorView:
    """The bounds after W a + b, whose outputs sum `products` products each. `bias`: at least the
    norm of b; `result`: W centre + b in float64; `scale`: at least 1 and the factors of Gemm.
    """
    factors = FACTORS + source.pending_factors  # every factor before the layer may be folded too

    def error(input_error: float, at_most: float, unit: float) -> float:
        rounding = layer_rounding_bound(norms, products, factors, at_most, bias, result.size, unit, scale)
        return sum_up(product_up(norms.spectral, input_error), rounding)

    centre_length = sum_up(l2_norm_up(source.centre), source.centre_error)
    values = TensorBounds(
        centre=result.ravel(),
        centre_error=error(source.centre_error, centre_length, FLOAT64_UNIT),
        lipschitz=product_up(norms.spectral, source.lipschitz),
        input_radius=source.input_radius,
        error=error(source.error, source.computed_norm, UNIT_ROUNDOFF[source.dtype]),
        dtype=source.dtype,
        open_terms=products + factors,
        open_magnitude=sum_up(product_up(norms.absolute, source.computed_norm), bias),
    )
    return full_view(values, result.shape)


def nonexpansive_layer(source: TensorBounds, result: np.ndarray) -> TensorView:
    """The bounds after a 1-Lipschitz operator that rounds nothing."""
    values = TensorBounds(
        result.ravel(), source.centre_error, source.lipschitz, source.input_radius, source.error, source.dtype
    )
    return full_view(values, result.shape)
