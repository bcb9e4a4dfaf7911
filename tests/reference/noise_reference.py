"""The discretised Gaussian noise of the smoothed classifier, in exact arithmetic and independent of the server.

    python tests/reference/noise_reference.py      writes noise_sigma025.json

A noise value is the smallest k with u < T_k, where u is a uniform 64-bit word and T_k = floor(2^64 Phi((k + 1/2) / s)).
s = levels * sigma / (high - low) is the standard deviation in levels. The table covers k = -K-1 .. K, where K is the
smallest integer with 1 - Phi((K + 1/2) / s) < 2^-64. Its last entry counts as 2^64.
"""

import json
from fractions import Fraction
from math import isqrt
from pathlib import Path

import numpy as np

import chacha

OUTPUT = Path(__file__).with_name("noise_sigma025.json")
BITS = 512  # fractional bits of the fixed-point numbers, of which the sums lose about 70
MARGIN = 200  # a floor is accepted only if an error of 2^-MARGIN cannot change it
ONE = 1 << BITS


def arctan_of_inverse(n: int) -> int:
    """Returns arctan(1/n) in fixed point."""
    total, power, divisor = 0, ONE // n, 1
    while power:
        total += power // divisor if divisor % 4 == 1 else -(power // divisor)
        power //= n * n
        divisor += 2
    return total


PI = 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))  # Machin
SQRT_2_PI = isqrt(2 * PI << BITS)


def normal_cdf(x: Fraction) -> int:
    """Returns Phi(x) in fixed point, by the series 1/2 + 1/sqrt(2 pi) sum (-1)^n x^(2n+1) / (n! 2^n (2n+1))."""
    term = ONE * x.numerator // x.denominator
    square = x * x / 2
    total, n = 0, 0
    while term not in (0, -1):
        total += term // (2 * n + 1)
        n += 1
        term = -term * square.numerator // (square.denominator * n)
    return ONE // 2 + (total << BITS) // SQRT_2_PI


def table(scale: Fraction) -> list[int]:
    """Returns T_k for k = -K-1 .. K, as exact floors. K is len / 2 - 1."""
    above = []  # T_k for k >= 0
    while True:
        k = len(above)
        cdf = normal_cdf(Fraction(2 * k + 1, 2) / scale)
        above.append(_certain_floor(cdf))
        if (ONE - cdf) << 64 < ONE:
            break
    # Phi(-x) = 1 - Phi(x), and no value is an integer: floor(2^64 - t) = 2^64 - 1 - floor(t).
    below = [(1 << 64) - 1 - t for t in reversed(above)]
    return below + above


def _certain_floor(cdf: int) -> int:
    scaled = cdf << 64
    error = 1 << (BITS - MARGIN)
    floor = scaled >> BITS
    if (scaled - error) >> BITS != floor or (scaled + error) >> BITS != floor:
        raise ArithmeticError("the value is too close to an integer, so more bits are needed")
    return floor


def noise(key: bytes, votes: np.ndarray, count: int, thresholds: list[int]) -> np.ndarray:
    """Returns the noise in levels, as int64 [len(votes), count]. Row i is the noise of vote number votes[i]."""
    limit = len(thresholds) // 2 - 1
    words = chacha.words(key, votes, count)
    finite = np.array(thresholds[:-1], dtype=np.uint64)
    return np.searchsorted(finite, words, side="right").astype(np.int64) - (limit + 1)


def main() -> None:
    chacha.self_test()
    levels, sigma, low, high = 255, Fraction(1, 4), 0, 1
    scale = levels * sigma / (high - low)
    thresholds = table(scale)
    limit = len(thresholds) // 2 - 1
    key = bytes(range(32))
    votes = [0, 1, 1_000_000_007]
    values = noise(key, np.array(votes), 64, thresholds)
    reference = {
        "levels": levels,
        "sigma": float(sigma),
        "low": low,
        "high": high,
        "s": float(scale),
        "K": limit,
        "first_k": -limit - 1,
        "thresholds": [str(t) for t in thresholds],
        "key": key.hex(),
        "votes": [{"vote": vote, "noise": row.tolist()} for vote, row in zip(votes, values)],
    }
    OUTPUT.write_text(json.dumps(reference, indent=1) + "\n")
    print(f"{OUTPUT.name}: s = {float(scale)}, K = {limit}, {len(thresholds)} thresholds")


if __name__ == "__main__":
    main()
