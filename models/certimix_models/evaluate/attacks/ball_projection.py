"""Perturbations that lie strictly inside a ball, measured in float64 on the very float32 images that a model is given; and
integer perturbations of uint8 pixels inside an l2 ball of levels.
"""

import numpy as np

SLACK = 1e-12  # more than a float64 sum of a few thousand squares can be off by, relatively
NEARLY = 1 - 1e-7  # where a perturbation outside is put: as near to the sphere as float32 images can be trusted to be


def distance(images: np.ndarray, moved: np.ndarray, norm: str) -> np.ndarray:
    """[N] distances of float32 images, exact but for the float64 sum."""
    difference = moved.astype(np.float64).reshape(len(moved), -1) - images.astype(np.float64).reshape(len(images), -1)
    if norm == "linf":
        return np.abs(difference).max(axis=1)
    return np.sqrt((difference**2).sum(axis=1))


def inside(images: np.ndarray, moved: np.ndarray, radius: np.ndarray | float, norm: str) -> np.ndarray:
    """The float32 images nearest to `moved` along the way from `images` that are in [0, 1] and nearer than `radius`."""
    radius = np.broadcast_to(np.asarray(radius, np.float64), len(images))
    wide = (-1,) + (1,) * (images.ndim - 1)
    start, step = images.astype(np.float64), moved.astype(np.float64) - images.astype(np.float64)
    if norm == "linf":  # a cube is cut coordinate by coordinate
        limit = (radius * NEARLY).reshape(wide)
        step = np.clip(step, -limit, limit)
    length = np.sqrt((step**2).reshape(len(step), -1).sum(axis=1)) if norm == "l2" else np.abs(step).reshape(len(step), -1).max(axis=1)
    share = np.minimum(1.0, radius * NEARLY / np.maximum(length, 1e-300))
    for attempt in range(25):
        result = np.clip(start + share.reshape(wide) * step, 0, 1).astype(np.float32)
        outside = distance(images, result, norm) >= radius * (1 - SLACK)
        if not outside.any():
            return result
        # Rounding to float32 has lengthened it, which matters for a tiny radius: back off, by twice as much each time.
        share = np.where(outside, share * max(0.0, 1 - (1 - NEARLY) * 2**attempt), share)
    raise AssertionError("a perturbation could not be brought inside its ball")


def integer_inside(levels: np.ndarray, direction: np.ndarray, squares: int) -> np.ndarray:
    """The uint8 pixels `levels` moved as far along `direction` as `squares`, the sum of squared whole levels, allows.

    Under that limit a linear function with gradient w is raised most, step for step, by the coordinates with the largest
    |w| / (2k + 1), k being the steps already taken: that is round(s w) for the largest s that fits. Small radii are less than
    one level a coordinate, so rounding a perturbation of the right length would throw most of it away.
    """
    direction = direction.astype(np.float64)
    largest = np.abs(direction).max()
    if squares < 1 or largest == 0:
        return levels.copy()
    integer = levels.astype(np.int64)

    def moved(scale: float) -> np.ndarray:
        return np.clip(integer + np.rint(scale * direction), 0, 255).astype(np.int64)

    low, high = 0.0, (np.sqrt(squares) + 1) / largest  # at high the largest coordinate alone is too long, unless clipped
    while ((moved(high) - integer) ** 2).sum() <= squares and high < 1e6 / largest:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if ((moved(middle) - integer) ** 2).sum() <= squares else (low, middle)
    result = moved(low)
    if ((result - integer) ** 2).sum() > squares:
        raise AssertionError("an integer perturbation is outside its ball")
    return result.astype(np.uint8)
