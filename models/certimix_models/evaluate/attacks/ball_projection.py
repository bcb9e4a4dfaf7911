"""Projections of perturbations strictly into a ball, measured in float64 on the float32 images that
a model takes; and of integer perturbations of uint8 pixels into an l2 ball of levels.
"""

import numpy as np

NORM_TOLERANCE = 1e-12  # relative; more than the error of a float64 sum of a few thousand squares
# a perturbation outside the ball is placed as near to the sphere as float32 images allow
SHRINK_FACTOR = 1 - 1e-7


def perturbation_norms(images: np.ndarray, perturbed: np.ndarray, norm: str) -> np.ndarray:
    """[N] norms of the differences of float32 images, exact except for the float64 sum."""
    difference = perturbed.astype(np.float64).reshape(len(perturbed), -1) - images.astype(np.float64).reshape(
        len(images), -1
    )
    if norm == "linf":
        return np.abs(difference).max(axis=1)
    return np.sqrt((difference**2).sum(axis=1))


def project_into_open_ball(
    images: np.ndarray, perturbed: np.ndarray, radius: np.ndarray | float, norm: str
) -> np.ndarray:
    """The float32 images nearest to `perturbed`, on the line from `images`, that are in [0, 1] and
    nearer than `radius`.
    """
    radius = np.broadcast_to(np.asarray(radius, np.float64), len(images))
    image_shape = (-1,) + (1,) * (images.ndim - 1)
    start, step = (images.astype(np.float64), perturbed.astype(np.float64) - images.astype(np.float64))
    if norm == "linf":  # a cube is cut coordinate by coordinate
        limit = (radius * SHRINK_FACTOR).reshape(image_shape)
        step = np.clip(step, -limit, limit)
    length = (
        np.sqrt((step**2).reshape(len(step), -1).sum(axis=1))
        if norm == "l2"
        else np.abs(step).reshape(len(step), -1).max(axis=1)
    )
    scale = np.minimum(1.0, radius * SHRINK_FACTOR / np.maximum(length, 1e-300))
    for attempt in range(25):
        result = np.clip(start + scale.reshape(image_shape) * step, 0, 1).astype(np.float32)
        is_outside = perturbation_norms(images, result, norm) >= radius * (1 - NORM_TOLERANCE)
        if not is_outside.any():
            return result
        # Rounding to float32 has lengthened the perturbation, which matters for a tiny radius: back
        # off, each time by twice as much.
        scale = np.where(is_outside, scale * max(0.0, 1 - (1 - SHRINK_FACTOR) * 2**attempt), scale)
    raise AssertionError("a perturbation could not be brought inside its ball")


def project_onto_levels(levels: np.ndarray, direction: np.ndarray, squared_radius: int) -> np.ndarray:
    """The uint8 pixels `levels`, moved along `direction` as far as `squared_radius`, the sum of
    squared whole levels, allows.

    Within that limit, step by step, the coordinates with the largest |w| / (2k + 1) raise a linear
    function with gradient w most, where k is the number of steps already taken. This is round(s w)
    for the largest s that fits. Small radii are less than one level for each coordinate, so
    rounding a perturbation of the right length would lose most of it.
    """
    direction = direction.astype(np.float64)
    largest_component = np.abs(direction).max()
    if squared_radius < 1 or largest_component == 0:
        return levels.copy()
    integer = levels.astype(np.int64)

    def perturbed(scale: float) -> np.ndarray:
        return np.clip(integer + np.rint(scale * direction), 0, 255).astype(np.int64)

    # at `high` the largest coordinate alone is too long, unless it is clipped
    low, high = 0.0, (np.sqrt(squared_radius) + 1) / largest_component
    while ((perturbed(high) - integer) ** 2).sum() <= squared_radius and high < 1e6 / largest_component:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if ((perturbed(middle) - integer) ** 2).sum() <= squared_radius else (low, middle)
    result = perturbed(low)
    if ((result - integer) ** 2).sum() > squared_radius:
        raise AssertionError("an integer perturbation is outside its ball")
    return result.astype(np.uint8)
