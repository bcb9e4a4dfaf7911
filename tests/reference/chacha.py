"""ChaCha20 in numpy.

This is the original variant, with a 64-bit block counter (words 12, 13) and a 64-bit stream ID (words 14, 15), as in
Rust's `rand_chacha::ChaCha20Rng` with `set_stream`.
"""

import numpy as np

CONSTANTS = np.frombuffer(b"expand 32-byte k", dtype="<u4")
DOUBLE_ROUNDS = 10


def words(key: bytes, streams: np.ndarray, count: int) -> np.ndarray:
    """Returns the first `count` little-endian u64 of the keystream of each stream, as uint64 [len(streams), count]."""
    if len(key) != 32:
        raise ValueError("a key has 32 bytes")
    streams = np.asarray(streams, dtype=np.uint64)[:, None]
    blocks = -(-count // 8)
    counters = np.arange(blocks, dtype=np.uint64)[None, :]

    initial = np.empty((16, len(streams), blocks), dtype=np.uint32)
    initial[0:4] = CONSTANTS[:, None, None]
    initial[4:12] = np.frombuffer(key, dtype="<u4")[:, None, None]
    initial[12], initial[13] = _low(counters), _high(counters)
    initial[14], initial[15] = _low(streams), _high(streams)

    state = initial.copy()
    for _ in range(DOUBLE_ROUNDS):
        for column in range(4):
            _quarter_round(state, column, 4 + column, 8 + column, 12 + column)
        for i in range(4):
            _quarter_round(state, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    state += initial

    keystream = state.transpose(1, 2, 0).reshape(len(streams), 8 * blocks, 2).astype(np.uint64)
    return (keystream[:, :, 0] | keystream[:, :, 1] << np.uint64(32))[:, :count]


def _quarter_round(state: np.ndarray, a: int, b: int, c: int, d: int) -> None:
    for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[x] += state[y]
        mixed = state[z] ^ state[x]
        state[z] = mixed << np.uint32(bits) | mixed >> np.uint32(32 - bits)


def _low(values: np.ndarray) -> np.ndarray:
    return (values & np.uint64(0xFFFF_FFFF)).astype(np.uint32)


def _high(values: np.ndarray) -> np.ndarray:
    return (values >> np.uint64(32)).astype(np.uint32)


def self_test() -> None:
    """Checks vectors 1 and 2 of RFC 8439, appendix A.1: blocks 0 and 1 of the all-zero key and nonce."""
    stream = words(bytes(32), np.array([0]), 16).astype("<u8").tobytes()
    assert stream[:16].hex() == "76b8e0ada0f13d90405d6ae55386bd28", stream[:16].hex()
    assert stream[64:80].hex() == "9f07e7be5551387a98ba977c732d080d", stream[64:80].hex()
