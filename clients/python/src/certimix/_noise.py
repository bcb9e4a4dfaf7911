"""The noise of a smoothed certificate, drawn again from its key: docs/reference/served-certificates.md, "The noise"."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Tuple

import numpy as np

from ._bounds import context, normal_cdf

_WORD = 2**64
# The values of the table are first computed in float64. Such a value is off by less than this, in units of 2^-64. A word
# nearer than this to a value is compared with the value of 60 digits.
_TABLE_ERROR = 2**18
_BLOCK_WORDS = 8
_CONSTANTS = np.frombuffer(b"expand 32-byte k", dtype="<u4")


def _quarter_round(state: Any, a: int, b: int, c: int, d: int) -> None:
    for source, target, other, turn in ((b, a, d, 16), (d, c, b, 12), (b, a, d, 8), (d, c, b, 7)):
        state[target] += state[source]
        mixed = state[other] ^ state[target]
        state[other] = (mixed << np.uint32(turn)) | (mixed >> np.uint32(32 - turn))


def chacha20_words(key: bytes, first_stream: int, streams: int, words: int) -> Any:
    """The first `words` 64-bit words of each of the streams `first_stream`, `first_stream` + 1, …, one a row.

    The layout is djb's: a block counter of 64 bits, and a stream number of 64 bits. Words are little-endian.
    """
    blocks = -(-words // _BLOCK_WORDS)
    counters = np.arange(blocks, dtype=np.uint64)[None, :]
    numbers = np.arange(first_stream, first_stream + streams, dtype=np.uint64)[:, None]
    start = np.empty((16, streams, blocks), dtype=np.uint32)
    start[0:4] = _CONSTANTS[:, None, None]
    start[4:12] = np.frombuffer(key, dtype="<u4")[:, None, None]
    low = np.uint64(0xFFFFFFFF)
    start[12], start[13] = counters & low, counters >> np.uint64(32)
    start[14], start[15] = numbers & low, numbers >> np.uint64(32)
    state = start.copy()
    for _ in range(10):
        for column in range(4):
            _quarter_round(state, column, 4 + column, 8 + column, 12 + column)
        for diagonal in range(4):
            others = ((diagonal + shift) % 4 + 4 * shift for shift in (1, 2, 3))
            _quarter_round(state, diagonal, *others)
    state += start
    halves = np.moveaxis(state, 0, -1).astype(np.uint64)
    whole = halves[..., 0::2] | (halves[..., 1::2] << np.uint64(32))
    return whole.reshape(streams, blocks * _BLOCK_WORDS)[:, :words]


class NoiseTable:
    """The table T_k = floor(2^64 Phi((k + 1/2) / s)) of the Gaussian rounded to integers, for -K <= k < K.

    `scale` is s, the standard deviation in levels. The table is about exactly this number.
    """

    def __init__(self, scale: float) -> None:
        self.scale = Fraction(scale)
        #: K, the largest noise.
        self.largest = self._first_beyond_the_words()
        below = [int(_WORD * 0.5 * math.erfc((k - 0.5) / scale / math.sqrt(2))) for k in range(self.largest, 0, -1)]
        # 2^64 Phi is no integer, so T_k and T_(-1-k) add up to 2^64 - 1.
        above = [_WORD - 1 - value for value in reversed(below)]
        self._values = np.array(below + above, dtype=np.uint64)
        self._first = -self.largest

    def _first_beyond_the_words(self) -> int:
        """K: the smallest k >= 0 with 2^64 Phi(-(k + 1/2) / s) < 1."""
        low, high = -1, math.ceil(10 * self.scale) + 10
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._tail(middle) * _WORD < 1 else (middle, high)
        return high

    def _tail(self, k: int) -> Any:
        """Phi(-(k + 1/2) / s), with 60 digits."""
        mp = context()
        x = (2 * k + 1) / (2 * self.scale)
        return normal_cdf(-mp.mpf(x.numerator) / x.denominator)

    def exact(self, k: int) -> int:
        """T_k to the last bit."""
        mp = context()
        lower = int(mp.floor(_WORD * self._tail(max(k, -1 - k))))
        return _WORD - 1 - lower if k >= 0 else lower

    def noise(self, words: Any) -> Any:
        """The smallest k with u < T_k for each word u; K if there is none."""
        index = np.searchsorted(self._values, words, side="right")
        # Differences of unsigned integers wrap. The ends count as near: their words are rare.
        to_upper = self._values[np.minimum(index, len(self._values) - 1)] - words
        to_lower = words - self._values[np.maximum(index, 1) - 1]
        for position in zip(*np.nonzero((to_upper < _TABLE_ERROR) | (to_lower < _TABLE_ERROR))):
            k = self._first + int(index[position])
            word = int(words[position])
            while k > self._first and word < self.exact(k - 1):
                k -= 1
            while k < self.largest and word >= self.exact(k):
                k += 1
            index[position] = k - self._first
        return index.astype(np.int64) + self._first


class Grid:
    """The grid of a smoothed model: value = low + k (high - low) / levels."""

    def __init__(self, low: float, high: float, levels: int) -> None:
        self.low, self.high, self.levels = low, high, levels
        #: The distance of two values on the grid, rounded to float64 as the server does.
        self.step = (high - low) / levels

    def levels_of(self, values: Any) -> Tuple[Any, bool]:
        """The level of each uint8 or float32 value, and whether all values lie on the grid."""
        if values.dtype == np.uint8:
            return values.astype(np.int64) * (self.levels // 255), True
        position = (values.astype(np.float64) - self.low) / self.step
        # numpy rounds a half to even, and the server away from zero.
        nearest = np.trunc(position) + np.where(np.abs(position - np.trunc(position)) >= 0.5, np.sign(position), 0)
        nearest = np.clip(nearest.astype(np.int64), 0, self.levels)
        return nearest, bool(np.array_equal(self.floats(nearest), values))

    def floats(self, levels: Any) -> Any:
        """The float32 value of each level."""
        return (self.low + levels * self.step).astype(np.float32)

    def scale(self, sigma: float) -> float:
        """The standard deviation in levels."""
        return self.levels * sigma / (self.high - self.low)
