"""Recognises convolutions by the elements that they select, independently of the nodes that
selected them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from certimix_models.prove.tensor_bounds import TensorView

LARGEST_KERNEL = 32  # a larger kernel, and one that covers its whole input, is a matrix like others


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


@dataclass(frozen=True)
class Convolution:
    """A matrix product that is a convolution without padding."""

    kernel: np.ndarray  # [M, C, kh, kw]
    stride: tuple[int, int]
    output: tuple[int, int]
    image: np.ndarray  # the index [1, C, H, W] of the image that the kernel moves over; -1 is zero

    @property
    def wraps(self) -> bool:
        """Whether the image is a torus that is unrolled as far as the kernel needs."""
        return is_torus_padding(self.image, self.kernel.shape[2:], self.stride, self.output)

    def is_like(self, other: "Convolution") -> bool:
        """Whether this is the same convolution of the same image."""
        return (self.kernel.shape, self.stride, tuple(self.output)) == (
            other.kernel.shape,
            other.stride,
            tuple(other.output),
        ) and np.array_equal(self.image, other.image)


def window_index(convolution: Convolution) -> np.ndarray:
    """The index [1, kh kw C, oh ow] of the pixels under the windows: taps in rows and columns, and
    in each tap channels.
    """
    image, output = convolution.image[0], convolution.output
    taps = [image[_window(i, j, convolution.stride, output)] for i, j in np.ndindex(convolution.kernel.shape[2:])]
    return np.stack(taps).reshape(1, -1, output[0] * output[1])


def match_convolution(weight: np.ndarray, index: np.ndarray) -> Convolution | None:
    """The convolution that weight [M, R] times index [1, R, P] is, for any kernel, stride and
    padding; None if it is a convolution only of kernels that do not overlap.

    The rows of `index` are taps, in rows and columns, and in each tap channels. Among several
    convolutions with the same result, this is the one that selects each element of its image least
    often. Any of them is valid: it computes the same product.
    """
    rows, pixels = index.shape[-2:]
    selected = index[index >= 0]
    if index.ndim != 3 or index.shape[0] != 1 or len(np.unique(selected)) == selected.size:
        return None
    best, best_repeats = None, np.inf
    for height, width, out_height in _candidate_shapes(rows, pixels):
        taps = index.reshape(height, width, -1, out_height, pixels // out_height)
        stride = _strides(taps)
        if stride == (height, width):
            continue  # no two windows overlap: this explains no repetition
        image = _image_under_windows(taps, stride)
        kernel = weight.reshape(-1, height, width, taps.shape[2]).transpose(0, 3, 1, 2)
        found, repeats = Convolution(kernel, stride, taps.shape[3:], image), TensorView(None, image).selection_norm
        # `_strides` implies that the windows agree; the proof does not rely on it.
        if repeats < best_repeats and np.array_equal(window_index(found), index):
            best, best_repeats = found, repeats
        if best is not None and (best_repeats == 1 or best.wraps):
            break
    return best


def _candidate_shapes(rows: int, pixels: int) -> Iterator[tuple[int, int, int]]:
    """The heights and widths of kernels, and the heights of results, that these counts allow.
    Square ones come first.
    """

    def divisors(number: int) -> list[int]:
        return [divisor for divisor in range(1, number + 1) if number % divisor == 0]

    kernels = [
        (height, width)
        for height in divisors(rows)
        for width in divisors(rows // height)
        if max(height, width) <= LARGEST_KERNEL
    ]
    kernels.sort(key=lambda size: (size[0] != size[1], size))
    results = sorted(divisors(pixels), key=lambda height: abs(height - pixels / height))
    for height, width in kernels:
        if height * width > 1:
            yield from ((height, width, out_height) for out_height in results)


def _strides(taps: np.ndarray) -> tuple[int, int]:
    """The smallest strides for which the taps [kh, kw, C, oh, ow] agree with one another, wherever
    two of them see the same pixel.
    """
    by_row = taps.transpose(0, 3, 2, 1, 4)  # [kh, oh, C, kw, ow]
    by_column = taps.transpose(1, 4, 2, 0, 3)  # [kw, ow, C, kh, oh]
    return _stride_along_axis(by_row), _stride_along_axis(by_column)


def _stride_along_axis(taps: np.ndarray) -> int:
    """The smallest s so that tap i at pixel y + 1 is tap i + s at pixel y."""
    size = len(taps)
    for stride in range(1, size):
        earlier, later = taps[: size - stride, 1:], taps[stride:, :-1]
        # one channel first: most strides fail there
        if np.array_equal(earlier[:, :, :1], later[:, :, :1]) and np.array_equal(earlier, later):
            return stride
    return size


def _image_under_windows(taps: np.ndarray, stride: tuple[int, int]) -> np.ndarray:
    """The image [1, C, H, W] whose windows are the taps [kh, kw, C, oh, ow]. Pixels that no window
    covers are zero.
    """
    height, width, channels, out_height, out_width = taps.shape
    size = [(count - 1) * step + taps for count, step, taps in zip((out_height, out_width), stride, (height, width))]
    image = np.full((1, channels, *size), -1)
    for i, j in np.ndindex(height, width):
        image[0][_window(i, j, stride, (out_height, out_width))] = taps[i, j]
    return image


def _window(i: int, j: int, stride: tuple[int, int], output: tuple[int, int]) -> tuple[slice, ...]:
    """The pixels that the tap (i, j) reads."""
    return (
        slice(None),
        *(slice(tap, tap + (size - 1) * step + 1, step) for tap, size, step in zip((i, j), output, stride)),
    )
