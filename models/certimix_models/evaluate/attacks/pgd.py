"""PGD with 20 steps on the cross-entropy of any differentiable function, by torchattacks.

Radii and step sizes are those of the authors' public code (github.com/Bai-YT/AdaptiveSmoothing):
8/255 in steps of 0.0027 in l-infinity, 0.5 in steps of 0.075 in l2, from the image itself. At
another radius the steps scale with it.
"""

import torch
import torchattacks
from torch import Tensor, nn

from certimix_models.evaluate.defaults import PGD_STEPS

DEFAULT_EPSILON = {"linf": 8 / 255, "l2": 0.5}
STEP_SHARE = {"linf": 0.0027 / (8 / 255), "l2": 0.15}  # step size as a share of the radius
DISTANCE_TOLERANCE = 1e-6
GRADIENT_EPSILON = 1e-30


def pgd_attack(
    function: nn.Module, images: Tensor, labels: Tensor, norm: str, epsilon: float, steps: int = PGD_STEPS
) -> Tensor:
    """Images within epsilon and in [0, 1] that `function` should classify wrongly. `function`
    returns logits, or logarithms of positive numbers.
    """
    if len(images) == 0:
        return images
    step = STEP_SHARE[norm] * epsilon
    if norm == "linf":
        attack = torchattacks.PGD(function, eps=epsilon, alpha=step, steps=steps, random_start=False)
    else:
        # The loss is a mean over the batch and its gradient may be tiny: the number added to its
        # norm must be smaller.
        attack = torchattacks.PGDL2(
            function, epsilon, step, steps, random_start=False, eps_for_division=GRADIENT_EPSILON
        )
    adversarial = attack(images, labels).detach()
    distance = difference_norms(adversarial - images, norm).max().item()
    if (
        distance > epsilon * (1 + DISTANCE_TOLERANCE) + DISTANCE_TOLERANCE
        or adversarial.min() < 0
        or adversarial.max() > 1
    ):
        raise AssertionError(f"the attack left the ball: {distance} > {epsilon}")
    return adversarial


def difference_norms(differences: Tensor, norm: str) -> Tensor:
    """[N] norms of the differences."""
    return torch.linalg.vector_norm(differences.flatten(1), ord=float("inf") if norm == "linf" else 2, dim=1)
