"""Upper bounds of spectral norms that are proved in floating point, rather than read off an SVD.

To prove that no matrix S of a stack has a norm above t it is shown that t^2 I - S S^H is positive definite, by a Cholesky
factorisation that runs to its end. What rounding can do (u = 2^-53, S is m x n with m <= n, all norms Euclidean or Frobenius):

- the real and the imaginary part of a complex sum of n products are real sums of 2n products, so that together
  |fl(S S^H) - S S^H| <= sqrt(2) gamma_2n |S| |S|^H <= gamma_4n |S| |S|^H for each entry; the spectral norm is at most the
  Frobenius norm, which is at most gamma_4n ||S||_F^2;
- if Cholesky's factorisation of A ends, its factor R has R^H R = A + D with |D| <= gamma_(4m+16) |R|^H |R| (Higham 2002, Theorem
  10.3, with m + 1 products; as above for complex numbers, and generous to roots and divisions), so
  ||D|| <= gamma_(4m+16) ||R||_F^2 <= 2 gamma_(4m+16) trace(A) <= 2 gamma_(4m+16) m t^2;
- the diagonal t^2 - s is rounded once more, each entry by at most u t^2.

So ||S||^2 <= t^2 + gamma_4n ||S||_F^2 + (2 m gamma_(4m+16) + 4 u) t^2. The eigenvalue behind the first guess of t proves nothing.
"""

import numpy as np

from .rounding import DOUBLE, gamma, length, product, root, total

# How far above the estimate t is tried. The estimate is from below, and poor where many values are close.
STEPS = (1e-9, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 3e-2, 1e-1, 1.0)
ITERATIONS, VECTORS = 40, 4
VANISHING = 2.0**-1000  # more than what is lost where a product is below the normal numbers


def norm(matrices: np.ndarray) -> float:
    """At least the largest spectral norm in a stack [..., m, n], real or complex, of float64."""
    stack = np.asarray(matrices).reshape(-1, *np.shape(matrices)[-2:])
    if not np.isfinite(stack).all():
        raise ValueError("a weight is not finite")
    if stack.shape[1] > stack.shape[2]:
        stack = stack.conj().transpose(0, 2, 1)
    _, m, n = stack.shape
    gram = stack @ np.ascontiguousarray(stack.conj().transpose(0, 2, 1))
    # The largest ||S||_F^2 of the stack: the trace, whose own error the factor covers.
    frobenius = product(float(np.max(np.trace(gram, axis1=1, axis2=2).real)), 1 + gamma(4 * n + m + 8, DOUBLE))
    if frobenius == 0:
        return length(np.stack([stack.real, stack.imag]))  # zero, or so small that its squares vanish
    estimate = _estimate(gram)
    for step in STEPS:
        bound = min(product(estimate, 1 + step), frobenius)
        if bound == frobenius or _positive_definite(bound, gram):
            slack = product(gamma(4 * n, DOUBLE), frobenius)
            rest = product(2 * m * gamma(4 * m + 16, DOUBLE) + 4 * DOUBLE, bound)
            return root(total(bound, slack, rest, m * n * VANISHING))
    return root(frobenius)


def _positive_definite(bound: float, gram: np.ndarray) -> bool:
    """Whether Cholesky's factorisation of bound * I - G runs to its end for every G."""
    try:
        np.linalg.cholesky(bound * np.eye(gram.shape[1]) - gram)
    except np.linalg.LinAlgError:
        return False
    return True


def _estimate(gram: np.ndarray) -> float:
    """About the largest eigenvalue: by an eigenvalue solver where that is quick, otherwise by block power iterations in float32."""
    if gram.shape[1] <= 32:
        return float(np.linalg.eigvalsh(gram)[:, -1].max())
    scale = float(np.abs(gram).max())
    rounded = (gram / scale).astype(np.complex64)
    vectors = np.random.default_rng(0).standard_normal((gram.shape[0], gram.shape[1], VECTORS)).astype(np.complex64)
    for _ in range(ITERATIONS):
        lengths = np.sqrt(np.sum(vectors.real**2 + vectors.imag**2, axis=1, keepdims=True))
        vectors = rounded @ (vectors / np.maximum(lengths, np.float32(1e-30)))
    return scale * float(np.sqrt(np.sum(vectors.real**2 + vectors.imag**2, axis=1)).max())
