"""Floating point, with every rounding against us: outward products and sums, and the error of sums of products.

Notation: u is the unit roundoff (2^-24 for float32, 2^-53 for float64), gamma_n = n u / (1 - n u). A sum of n products in
any order, with or without fused multiply-adds, is off by at most gamma_n times the sum of the products' absolute values
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1). Where a result is below the normal
numbers the error is absolute instead, at most the smallest normal number, even if the processor flushes it to zero.
"""

import math

import numpy as np

DOUBLE = 2.0**-53
UNIT = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): DOUBLE}
SMALLEST_NORMAL = 2.0**-126  # of float32: larger than that of float64


def up(value: float) -> float:
    """The next float: at least the exact result of the one correctly rounded operation that gave `value`."""
    return math.nextafter(value, math.inf)


def product(*factors: float) -> float:
    """Of factors that are not negative, rounded up."""
    result = 1.0
    for factor in factors:
        result = up(result * factor)
    return result


def total(*terms: float) -> float:
    """Of terms that are not negative, rounded up."""
    result = 0.0
    for term in terms:
        result = up(result + term)
    return result


def root(value: float) -> float:
    return up(math.sqrt(value))


def gamma(terms: int, unit: float) -> float:
    if terms * unit >= 0.5:
        raise ValueError(f"a sum of {terms} terms has no useful error bound")
    return up(up(terms * unit) / math.nextafter(1 - terms * unit, 0))


def length(values: np.ndarray) -> float:
    """At least the Euclidean length of `values`. numpy's sum of n squares, in any order, is off by gamma_(n+1) at most."""
    values = np.asarray(values, dtype=np.float64)
    squares = float(np.sum(values * values))
    return root(product(squares, 1 + gamma(values.size + 2, DOUBLE)) + values.size * 2.0**-1022)
