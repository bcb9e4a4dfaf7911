"""Two attacks in l2 on any margin: the lowest margin inside a ball, and the smallest perturbation that makes it negative.

A margin maps images [N, ...] to [N] numbers and is broken where it is negative. Every image has a radius of its own, and the
margin may know each row's class, which is why this is not a package's attack: those take one radius, or drop rows on the way.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Margin = Callable[[Tensor], Tensor]
MOMENTUM = 0.75


def lowest(margin: Margin, images: Tensor, radius: Tensor, steps: int, random_start: bool = False) -> Tensor:
    """Projected gradient descent: unit steps with momentum, from the whole radius down to a fiftieth of it along a cosine.

    Returns the images, within the ball, of the lowest margin that was seen.
    """
    radius = wide(radius, images)
    start = unit(torch.randn_like(images)) * radius if random_start else torch.zeros_like(images)
    moved = (images + start).clamp(0, 1)
    best, best_value, velocity = moved.clone(), torch.full((len(images),), math.inf), torch.zeros_like(images)
    for step in range(steps + 1):
        value, gradient = with_gradient(margin, moved)
        better = value < best_value
        best[better], best_value[better] = moved[better], value[better]
        if step == steps:
            break
        length = 0.02 + 0.49 * (1 + math.cos(math.pi * step / steps))
        velocity = MOMENTUM * velocity + unit(gradient)
        moved = within(images, moved - length * radius * unit(velocity), radius)
    return best


def smallest(margin: Margin, images: Tensor, radius: Tensor, steps: int) -> Tensor:
    """A perturbation as short as can be found (after Rony et al., "Decoupling Direction and Norm", CVPR 2019).

    The radius shrinks while the image at hand is adversarial and grows while it is not, by ever smaller factors. It begins at
    `radius`. Images for which nothing was found are returned as they are.
    """
    limit, moved = wide(radius.clone(), images), images.clone()
    best, best_length = images.clone(), torch.full((len(images),), math.inf)
    velocity = torch.zeros_like(images)
    for step in range(steps + 1):
        value, gradient = with_gradient(margin, moved)
        length = (moved - images).flatten(1).norm(dim=1)
        better = (value < 0) & (length < best_length)
        best[better], best_length[better] = moved[better], length[better]
        if step == steps:
            break
        share = (1 + math.cos(math.pi * step / steps)) / 2
        factor = 0.005 + 0.145 * share
        limit = torch.where(wide(value, images) < 0, limit * (1 - factor), limit * (1 + factor))
        velocity = MOMENTUM * velocity + unit(gradient)
        moved = moved - (0.02 + 0.98 * share) * limit * unit(velocity)
        # On the sphere, not merely inside it: a shorter one would not have been adversarial either.
        moved = (images + unit(moved - images) * limit).clamp(0, 1)
    return best


def with_gradient(margin: Margin, moved: Tensor) -> tuple[Tensor, Tensor]:
    moved = moved.detach().requires_grad_()
    with torch.enable_grad():
        value = margin(moved)
        (gradient,) = torch.autograd.grad(value.sum(), moved)
    return value.detach(), gradient


def within(images: Tensor, moved: Tensor, radius: Tensor) -> Tensor:
    step = moved - images
    length = wide(step.flatten(1).norm(dim=1), images).clamp_min(1e-12)
    return (images + step * (radius / length).clamp_max(1)).clamp(0, 1)


def unit(directions: Tensor) -> Tensor:
    """Each of length 1; one that is zero becomes random. Scaled before squaring: the gradient of a sure network may be tiny."""
    scale = wide(directions.flatten(1).abs().amax(dim=1), directions)
    directions = torch.where(scale > 0, directions / scale.clamp_min(1e-38), torch.randn_like(directions))
    return directions / wide(directions.flatten(1).norm(dim=1), directions)


def wide(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (like.dim() - 1))
