"""PGD with 20 steps on the cross entropy of any differentiable function, by torchattacks.

Radii and step sizes are those of the authors' public code (github.com/Bai-YT/AdaptiveSmoothing: 8/255 in steps of
0.0027 in l-infinity, 0.5 in steps of 0.075 in l2, from the image itself); at another radius the steps grow with it.
"""

import torch
import torchattacks
from torch import Tensor, nn

EPSILON = {"linf": 8 / 255, "l2": 0.5}
STEP = {"linf": 0.0027 / (8 / 255), "l2": 0.15}  # as a share of the radius
STEPS = 20
ROUNDING = 1e-6


def pgd(function: nn.Module, images: Tensor, labels: Tensor, norm: str, epsilon: float, steps: int = STEPS) -> Tensor:
    """Images within epsilon, in [0, 1], that `function` (logits, or logarithms of anything positive) should take for
    other classes."""
    if len(images) == 0:
        return images
    step = STEP[norm] * epsilon
    if norm == "linf":
        attack = torchattacks.PGD(function, eps=epsilon, alpha=step, steps=steps, random_start=False)
    else:
        # The loss is a mean over the batch and its gradient may be tiny: nothing that matters may be added to its norm.
        attack = torchattacks.PGDL2(function, epsilon, step, steps, random_start=False, eps_for_division=TINY)
    found = attack(images, labels).detach()
    distance = distances(found - images, norm).max().item()
    if distance > epsilon * (1 + ROUNDING) + ROUNDING or found.min() < 0 or found.max() > 1:
        raise AssertionError(f"an attack left the ball: {distance} > {epsilon}")
    return found


TINY = 1e-30


def distances(differences: Tensor, norm: str) -> Tensor:
    return torch.linalg.vector_norm(differences.flatten(1), ord=float("inf") if norm == "linf" else 2, dim=1)
