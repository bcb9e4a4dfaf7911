"""Reads an 8-bit RGB PNG with the standard library, so that the references need only numpy and onnxruntime."""

import struct
import zlib
from pathlib import Path

import numpy as np

CHANNELS = 3


def read_rows(path: Path) -> np.ndarray:
    """Reads a file that has one 32 x 32 image in each row, as uint8 [N, 3, 32, 32]."""
    return read_png(path).reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)


def read_png(path: Path) -> np.ndarray:
    """Reads a file as uint8 [height, width, 3]."""
    chunks = list(_chunks(path.read_bytes()))
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    if (depth, colour, interlace) != (8, 2, 0):
        raise ValueError(f"{path}: only 8-bit RGB without interlacing is supported")
    packed = zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
    lines = np.frombuffer(packed, dtype=np.uint8).reshape(height, 1 + width * CHANNELS)
    above = np.zeros(width * CHANNELS, dtype=np.uint8)
    image = np.empty((height, width * CHANNELS), dtype=np.uint8)
    for y, line in enumerate(lines):
        above = image[y] = _unfilter(int(line[0]), line[1:], above)
    return image.reshape(height, width, CHANNELS)


def _chunks(data: bytes):
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("not a PNG file")
    start = 8
    while start < len(data):
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        yield kind, data[start + 8 : start + 8 + length]
        start += 12 + length


def _unfilter(kind: int, line: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Restores a line by the PNG specification, section 9: each byte is stored as the difference from a prediction."""
    if kind == 0:
        return line
    if kind == 1:
        return np.cumsum(line.reshape(-1, CHANNELS), axis=0, dtype=np.uint8).reshape(-1)
    if kind == 2:
        return line + above
    predict = {3: lambda left, up, corner: (left + up) // 2, 4: _paeth}[kind]
    out, up = line.tolist(), above.tolist()
    for i in range(len(out)):
        left, corner = (out[i - CHANNELS], up[i - CHANNELS]) if i >= CHANNELS else (0, 0)
        out[i] = (out[i] + predict(left, up[i], corner)) & 255
    return np.array(out, dtype=np.uint8)


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))
