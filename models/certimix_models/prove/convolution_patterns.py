"""Recognises convolutions by the elements that they select, independently of the nodes that
selected them.
"""

import math

import numpy as np


def is_torus_padding(
    index: np.ndarray, kernel: tuple[int, ...], stride: tuple[int, ...], output: tuple[int, ...]
) -> bool:
    """Whether the index [1, C, H, W] shows a torus of stride * output pixels, each pixel once,
    followed by a repetition of what the kernel needs beyond it.
    """
    period = [step * size for step, size in zip(stride, output)]
    needed = [(size - 1) * step + taps for size, step, taps in zip(output, stride, kernel)]
    if index.shape[0] != 1 or list(index.shape[2:]) != needed or any(n < p for n, p in zip(needed, period)):
        return False
    height, width = period
    core = index[:, :, :height, :width]
    rows, columns = np.arange(needed[0]) % height, np.arange(needed[1]) % width
    return bool(
        core.min() >= 0 and len(np.unique(core)) == core.size and np.array_equal(core[:, :, rows][..., columns], index)
    )


def match_convolution(weight: np.ndarray, index: np.ndarray) -> tuple[np.ndarray | None, bool]:
    """The kernel [M, C, k, k] and whether it wraps, if weight [M, C k k] times index [1, C k k, H
    H] is a convolution of stride 1 and odd width k with an output of the size of its input;
    otherwise None.

    The rows of `index` are taps, and in each tap channels. The rows of the middle tap are the image
    itself.
    """
    rows, pixels = index.shape[-2:]
    side = math.isqrt(pixels)
    if index.size != rows * pixels or side * side != pixels:
        return None, False
    for k in (3, 5, 7):
        channels, remainder = divmod(rows, k * k)
        if remainder or channels == 0:
            continue
        taps = index.reshape(k, k, channels, side, side)
        image = taps[k // 2, k // 2]
        if image.min() < 0 or len(np.unique(image)) != image.size:
            continue
        for wraps in (False, True):
            borders = [(0, 0), *[(k // 2, k // 2)] * 2]
            padded = np.pad(image, borders, mode="wrap") if wraps else np.pad(image, borders, constant_values=-1)
            windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
            if np.array_equal(windows.transpose(1, 2, 0, 3, 4), taps):
                return weight.reshape(-1, k, k, channels).transpose(0, 3, 1, 2), wraps
    return None, False
