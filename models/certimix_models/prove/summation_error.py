"""The rounding error of a linear layer whose sums a runtime may add in any order, and in another
order for each output. docs/concepts/certificates.md, section 5, has the proof.

An output sums N products p_j = w_j a_j and a bias. A runtime adds them along some binary tree. A
node of the tree adds the products of a set J, and its rounding is at most u times the sum S_J of
that set. Two facts bound S_J better than the sum of all |p_j| does. S is the sum of all p_j, and k
the size of J:

    |S_J| <= |S| + sqrt(k (N - k) / N) sqrt(sum_j p_j^2)      subtract the mean from J's indicator
    |S_J| <= |S| + (sum_j |p_j|) / 2                          the larger of the sums of either sign

Over all outputs, sqrt(sum p_j^2) has the norm c ||a|| at most, with c the largest column norm of
W, and sum |p_j| has || |W| || ||a||. At most N - 2m + 3 nodes of a tree have m <= k <= N - m.
"""

from dataclasses import dataclass

import numpy as np

from certimix_models.prove.directed_rounding import (
    FLOAT64_UNIT,
    SMALLEST_NORMAL,
    gamma,
    l2_norm_up,
    product_up,
    sqrt_up,
    sum_up,
)
from certimix_models.prove.spectral_norm import spectral_norm_bound


@dataclass(frozen=True)
class WeightNorms:
    """Upper bounds of the norms of a layer's matrix W."""

    spectral: float  # ||W||
    absolute: float  # || |W| ||, of the absolute values
    column: float  # the largest Euclidean norm of a column: what one input adds to all outputs

    def scaled(self, factor: float) -> "WeightNorms":
        """The norms of `factor` times W, for a factor that is not negative."""
        return WeightNorms(*(product_up(factor, norm) for norm in (self.spectral, self.absolute, self.column)))


def matrix_norms(matrix: np.ndarray) -> WeightNorms:
    """The norms of a matrix [outputs, inputs]."""
    matrix = matrix.astype(np.float64)
    return WeightNorms(spectral_norm_bound(matrix), spectral_norm_bound(np.abs(matrix)), largest_column_norm(matrix))


def largest_column_norm(matrix: np.ndarray) -> float:
    """At least the largest Euclidean norm of a column of a matrix [outputs, inputs]."""
    squares = np.sum(matrix * matrix, axis=0)
    return product_up(l2_norm_up(matrix[:, int(np.argmax(squares))]), 1 + gamma(matrix.shape[0] + 2, FLOAT64_UNIT))


def sum_of_spreads(products: int, norms: WeightNorms) -> float:
    """At least the sum over the nodes of any tree of min(c sqrt(k (N - k) / N), || |W| || / 2)."""
    half = products // 2
    if half == 0:
        return 0.0
    m = np.arange(1, half + 1, dtype=np.float64)
    spreads = np.minimum(norms.column * np.sqrt(m * (products - m) / products), norms.absolute / 2)
    total = 2 * float(np.sum(spreads[:-1])) + (products - 2 * half + 3) * float(spreads[-1])
    return product_up(total, 1 + gamma(products + 16, FLOAT64_UNIT))


def layer_rounding_bound(
    norms: WeightNorms,
    products: int,
    factors: int,
    input_norm: float,
    bias: float,
    outputs: int,
    unit: float,
    scale: float = 1.0,
) -> float:
    """At least the norm of the rounding error of W a + b, for `outputs` outputs of `products`
    products each.

    `input_norm`: at least ||a||; `bias`: at least ||b||; `factors`: the factors by which a runtime
    may multiply each product or its weight, each with a rounding of its own; `unit`: u; `scale`: at least 1 and the factor by which the
    runtime multiplies a finished sum.
    """
    total = sum_up(product_up(norms.absolute, input_norm), bias)  # || |W| |a| + |b| ||
    every_node_as_large_as_the_total = product_up(gamma(products + factors, unit), total)
    along_a_tree = sum_up(
        product_up(products * unit, sum_up(product_up(norms.spectral, input_norm), bias)),
        product_up(unit, sum_of_spreads(products, norms), input_norm),
        # the products and the bias themselves, each with its factors
        product_up(gamma(factors + 1, unit), total),
        # A node adds sums that are rounded already.
        product_up(products * unit, gamma(products + factors + 1, unit), total),
    )
    # A product or a sum below the normal numbers, and an operand that the processor takes for zero.
    flushed = product_up(
        2.0 * (products + factors),
        sqrt_up(float(outputs)),
        SMALLEST_NORMAL,
        sum_up(1.0, norms.absolute, input_norm),
        scale,
    )
    return sum_up(min(every_node_as_large_as_the_total, along_a_tree), flushed)
