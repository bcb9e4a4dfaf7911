"""Upper bounds of spectral norms that are proved in floating point, not read from an SVD.

To prove that no matrix S of a stack has a norm above t, this module shows that t^2 I - S S^H is
positive definite: its Cholesky factorisation completes. The rounding errors are (u = 2^-53, S is m
x n with m <= n, all norms Euclidean or Frobenius):

- The real and the imaginary part of a complex sum of n products are real sums of 2n products.
  Together |fl(S S^H) - S S^H| <= sqrt(2) gamma_2n |S| |S|^H <= gamma_4n |S| |S|^H for each entry.
  The spectral norm of this error is at most its Frobenius norm, which is at most gamma_4n
  ||S||_F^2.
- If the Cholesky factorisation of A completes, its factor R satisfies R^H R = A + D with |D| <=
  gamma_(4m+16) |R|^H |R| (Higham 2002, Theorem 10.3, with m + 1 products; as above for complex
  numbers, with room for roots and divisions). So ||D|| <= gamma_(4m+16) ||R||_F^2 <= 2
  gamma_(4m+16) trace(A) <= 2 gamma_(4m+16) m t^2.
- The diagonal t^2 - s is rounded once more, each entry by at most u t^2.

So ||S||^2 <= t^2 + gamma_4n ||S||_F^2 + (2 m gamma_(4m+16) + 4 u) t^2. The eigenvalue behind the
first estimate of t is not part of the proof.
"""

import numpy as np

from certimix_models.prove.directed_rounding import FLOAT64_UNIT, gamma, l2_norm_up, product_up, sqrt_up, sum_up

# How far above the estimate t is tried, relative to it. The estimate is too small, and inaccurate
# if many singular values are close to each other.
RELATIVE_STEPS = (1e-9, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 3e-2, 1e-1, 1.0)
POWER_ITERATIONS, POWER_VECTORS = 40, 4
# An eigenvalue solver estimates for small matrices, and for a single one of up to this size. It is
# more exact than power iterations, and slow for many large matrices.
SOLVER_SIZE, SINGLE_SOLVER_SIZE = 32, 1024
UNDERFLOW_LOSS = 2.0**-1000  # more than the loss where a product is below the normal numbers


def spectral_norm_bound(matrices: np.ndarray) -> float:
    """At least the largest spectral norm in a stack [..., m, n] of float64 matrices, real or
    complex.
    """
    stack = np.asarray(matrices).reshape(-1, *np.shape(matrices)[-2:])
    if not np.isfinite(stack).all():
        raise ValueError("a weight is not finite")
    if stack.shape[1] > stack.shape[2]:
        stack = stack.conj().transpose(0, 2, 1)
    _, m, n = stack.shape
    gram = stack @ np.ascontiguousarray(stack.conj().transpose(0, 2, 1))
    # The largest ||S||_F^2 of the stack: the trace. The factor covers the error of the trace
    # itself.
    frobenius = product_up(float(np.max(np.trace(gram, axis1=1, axis2=2).real)), 1 + gamma(4 * n + m + 8, FLOAT64_UNIT))
    if frobenius == 0:
        return l2_norm_up(np.stack([stack.real, stack.imag]))  # zero, or so small that the squares underflow
    estimate = _estimate_largest_eigenvalue(gram)
    for step in RELATIVE_STEPS:
        bound = min(product_up(estimate, 1 + step), frobenius)
        if bound == frobenius or _positive_definite(bound, gram):
            gram_slack = product_up(gamma(4 * n, FLOAT64_UNIT), frobenius)
            cholesky_slack = product_up(2 * m * gamma(4 * m + 16, FLOAT64_UNIT) + 4 * FLOAT64_UNIT, bound)
            return sqrt_up(sum_up(bound, gram_slack, cholesky_slack, m * n * UNDERFLOW_LOSS))
    return sqrt_up(frobenius)


def _positive_definite(bound: float, gram: np.ndarray) -> bool:
    """Whether the Cholesky factorisation of bound * I - G completes for every G."""
    try:
        np.linalg.cholesky(bound * np.eye(gram.shape[1]) - gram)
    except np.linalg.LinAlgError:
        return False
    return True


def _estimate_largest_eigenvalue(gram: np.ndarray) -> float:
    """An estimate of the largest eigenvalue: by an eigenvalue solver for small matrices or a single
    one, otherwise by block power iterations in float32.
    """
    if gram.shape[1] <= (SINGLE_SOLVER_SIZE if len(gram) == 1 else SOLVER_SIZE):
        return float(np.linalg.eigvalsh(gram)[:, -1].max())
    scale = float(np.abs(gram).max())
    rounded = (gram / scale).astype(np.complex64)
    vectors = (
        np.random.default_rng(0).standard_normal((gram.shape[0], gram.shape[1], POWER_VECTORS)).astype(np.complex64)
    )
    for _ in range(POWER_ITERATIONS):
        lengths = np.sqrt(np.sum(vectors.real**2 + vectors.imag**2, axis=1, keepdims=True))
        vectors = rounded @ (vectors / np.maximum(lengths, np.float32(1e-30)))
    return scale * float(np.sqrt(np.sum(vectors.real**2 + vectors.imag**2, axis=1)).max())
