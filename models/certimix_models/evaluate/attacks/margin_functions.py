"""What an attacker lowers, as functions of images that are negative where the attack has succeeded.

`WorstCase` is the certificate's own condition: `h_y - h_i >= mu` for every i, which is all that Lemma 1 needs, whatever g does. Its
logarithm, ln[(2 alpha - 1) h_y] - ln[(1 - alpha)(1 - h_y) + alpha h_i], has the same sign and does not fade where h is sure of itself.
"""

import math

import torch
from torch import Tensor, nn


def least(logits: Tensor, classes: Tensor) -> Tensor:
    """The logit of each row's class, less the largest of the others."""
    others = logits.scatter(1, classes.unsqueeze(1), -math.inf).amax(dim=1)
    return logits.gather(1, classes.unsqueeze(1)).squeeze(1) - others


class WorstCase:
    """Against the g that helps the attacker most. With `targets`, i is that class and not the nearest one."""

    def __init__(self, h: nn.Module, alpha: float, classes: Tensor, targets: Tensor | None = None):
        self.h, self.alpha, self.classes, self.targets = h, alpha, classes, targets

    def __call__(self, x: Tensor) -> Tensor:
        log_h = self.h(x).log_softmax(dim=1)
        own = log_h.gather(1, self.classes.unsqueeze(1))
        others = log_h.scatter(1, self.classes.unsqueeze(1), -math.inf)
        i = others.argmax(dim=1) if self.targets is None else self.targets
        weight = torch.full_like(log_h, math.log1p(-self.alpha) if self.alpha < 1 else -math.inf)
        weight = weight.scatter(1, i.unsqueeze(1), 0.0)
        return (math.log(2 * self.alpha - 1) + own).squeeze(1) - torch.logsumexp(others + weight, dim=1)


class Least:
    """The class against the nearest other one, of one network or of a mixture."""

    def __init__(self, network: nn.Module, classes: Tensor):
        self.network, self.classes = network, classes

    def __call__(self, x: Tensor) -> Tensor:
        return least(self.network(x), self.classes)


class Targeted:
    """The class against one other."""

    def __init__(self, network: nn.Module, classes: Tensor, targets: Tensor):
        self.network, self.classes, self.targets = network, classes, targets

    def __call__(self, x: Tensor) -> Tensor:
        logits = self.network(x)
        return (logits.gather(1, self.classes.unsqueeze(1)) - logits.gather(1, self.targets.unsqueeze(1))).squeeze(1)


class CrossEntropy:
    """ln of the class's own probability: lowered like a margin, though its sign says nothing."""

    def __init__(self, network: nn.Module, classes: Tensor):
        self.network, self.classes = network, classes

    def __call__(self, x: Tensor) -> Tensor:
        return self.network(x).log_softmax(dim=1).gather(1, self.classes.unsqueeze(1)).squeeze(1)
