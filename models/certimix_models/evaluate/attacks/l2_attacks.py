"""Two attacks in l2 on any margin: the lowest margin inside a ball, and the smallest perturbation
that makes it negative.

A margin maps images [N, ...] to [N] numbers. It is broken where it is negative. Every image has its
own radius, and a margin may depend on the class of each row. So the attacks of packages do not
serve: they take one radius, or drop rows on the way.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Margin = Callable[[Tensor], Tensor]
MOMENTUM = 0.75


def minimise_margin(margin: Margin, images: Tensor, radius: Tensor, steps: int, random_start: bool = False) -> Tensor:
    """Projected gradient descent: unit steps with momentum, from the whole radius down to a
    fiftieth of it along a cosine.

    Returns the images within the ball that had the lowest margin.
    """
    radius = broadcast_like(radius, images)
    start = unit_vectors(torch.randn_like(images)) * radius if random_start else torch.zeros_like(images)
    adversarial = (images + start).clamp(0, 1)
    best, best_value, velocity = (adversarial.clone(), torch.full((len(images),), math.inf), torch.zeros_like(images))
    for step in range(steps + 1):
        value, gradient = margin_and_gradient(margin, adversarial)
        improved = value < best_value
        best[improved], best_value[improved] = adversarial[improved], value[improved]
        if step == steps:
            break
        length = 0.02 + 0.49 * (1 + math.cos(math.pi * step / steps))
        velocity = MOMENTUM * velocity + unit_vectors(gradient)
        adversarial = project_into_ball(images, adversarial - length * radius * unit_vectors(velocity), radius)
    return best


def find_smallest_perturbation(margin: Margin, images: Tensor, radius: Tensor, steps: int) -> Tensor:
    """Searches for a perturbation that is as short as possible (after Rony et al., "Decoupling
    Direction and Norm", CVPR 2019).

    The radius shrinks while the current image is adversarial and grows while it is not, by factors
    that approach 1. It starts at `radius`. Images for which nothing was found are returned
    unchanged.
    """
    limit, adversarial = broadcast_like(radius.clone(), images), images.clone()
    best, best_length = images.clone(), torch.full((len(images),), math.inf)
    velocity = torch.zeros_like(images)
    for step in range(steps + 1):
        value, gradient = margin_and_gradient(margin, adversarial)
        length = (adversarial - images).flatten(1).norm(dim=1)
        improved = (value < 0) & (length < best_length)
        best[improved], best_length[improved] = adversarial[improved], length[improved]
        if step == steps:
            break
        share = (1 + math.cos(math.pi * step / steps)) / 2
        factor = 0.005 + 0.145 * share
        limit = torch.where(broadcast_like(value, images) < 0, limit * (1 - factor), limit * (1 + factor))
        velocity = MOMENTUM * velocity + unit_vectors(gradient)
        adversarial = adversarial - (0.02 + 0.98 * share) * limit * unit_vectors(velocity)
        # On the sphere, not only inside it: a shorter perturbation would not have been adversarial
        # either.
        adversarial = (images + unit_vectors(adversarial - images) * limit).clamp(0, 1)
    return best


def margin_and_gradient(margin: Margin, adversarial: Tensor) -> tuple[Tensor, Tensor]:
    """The margin of each image, and its gradient."""
    adversarial = adversarial.detach().requires_grad_()
    with torch.enable_grad():
        value = margin(adversarial)
        (gradient,) = torch.autograd.grad(value.sum(), adversarial)
    return value.detach(), gradient


def project_into_ball(images: Tensor, adversarial: Tensor, radius: Tensor) -> Tensor:
    """The images, moved into the ball around the originals and into [0, 1]."""
    step = adversarial - images
    length = broadcast_like(step.flatten(1).norm(dim=1), images).clamp_min(1e-12)
    return (images + step * (radius / length).clamp_max(1)).clamp(0, 1)


def unit_vectors(directions: Tensor) -> Tensor:
    """Each direction with length 1. A zero direction becomes random. They are scaled before they
    are squared, because the gradient of a confident network may be tiny.
    """
    scale = broadcast_like(directions.flatten(1).abs().amax(dim=1), directions)
    directions = torch.where(scale > 0, directions / scale.clamp_min(1e-38), torch.randn_like(directions))
    return directions / broadcast_like(directions.flatten(1).norm(dim=1), directions)


def broadcast_like(values: Tensor, like: Tensor) -> Tensor:
    """One value for each row, in a shape that broadcasts to `like`."""
    return values.reshape(-1, *[1] * (like.dim() - 1))
