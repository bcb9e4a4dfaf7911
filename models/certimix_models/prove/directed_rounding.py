"""Floating point that always rounds to the safe side: products and sums rounded up, and the error
of sums of products.

Notation: u is the unit roundoff (2^-24 for float32, 2^-53 for float64), gamma_n = n u / (1 - n u).
A sum of n products in any order, with or without fused multiply-adds, is off by at most gamma_n
times the sum of the products' absolute values (Higham, Accuracy and Stability of Numerical
Algorithms, 2002, section 3.1). If a result is below the normal numbers, the error is absolute
instead: at most the smallest normal number, even if the processor flushes the result to zero.
"""

import math

import numpy as np

FLOAT64_UNIT = 2.0**-53
UNIT_ROUNDOFF = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): FLOAT64_UNIT}
SMALLEST_NORMAL = 2.0**-126  # float32's; larger than float64's


def next_up(value: float) -> float:
    """The next float: at least the exact result of the one correctly rounded operation that gave
    `value`.
    """
    return math.nextafter(value, math.inf)


def product_up(*factors: float) -> float:
    """The product of non-negative factors, rounded up."""
    result = 1.0
    for factor in factors:
        result = next_up(result * factor)
    return result


def sum_up(*terms: float) -> float:
    """The sum of non-negative terms, rounded up."""
    result = 0.0
    for term in terms:
        result = next_up(result + term)
    return result


def sqrt_up(value: float) -> float:
    """The square root, rounded up."""
    return next_up(math.sqrt(value))


def gamma(terms: int, unit: float) -> float:
    """gamma_n for n = `terms` and u = `unit`, rounded up."""
    if terms * unit >= 0.5:
        raise ValueError(f"a sum of {terms} terms has no useful error bound")
    return next_up(next_up(terms * unit) / math.nextafter(1 - terms * unit, 0))


def l2_norm_up(values: np.ndarray) -> float:
    """At least the Euclidean norm of `values`. numpy's sum of n squares, in any order, is off by at
    most gamma_(n+1).
    """
    values = np.asarray(values, dtype=np.float64)
    squares = float(np.sum(values * values))
    return sqrt_up(product_up(squares, 1 + gamma(values.size + 2, FLOAT64_UNIT)) + values.size * 2.0**-1022)
