"""The functions that an attack minimises: functions of images that are negative where the attack
has succeeded.

`WorstCaseMargin` is the certificate's own condition: `h_y - h_i >= mu` for every i. Lemma 1 needs
only this, for any g. Its logarithm, ln[(2 alpha - 1) h_y] - ln[(1 - alpha)(1 - h_y) + alpha h_i],
has the same sign and does not vanish where h is confident.
"""

import math

import torch
from torch import Tensor, nn

from certimix_models.evaluate.networks.mixture import log_mixture


def untargeted_margin(logits: Tensor, classes: Tensor) -> Tensor:
    """The logit of each row's class, minus the largest of the others."""
    others = logits.scatter(1, classes.unsqueeze(1), -math.inf).amax(dim=1)
    return logits.gather(1, classes.unsqueeze(1)).squeeze(1) - others


class WorstCaseMargin:
    """The margin against the g that helps the attacker most. With `targets`, i is that class
    instead of the runner-up.
    """

    def __init__(self, h: nn.Module, alpha: float, classes: Tensor, targets: Tensor | None = None):
        self.h, self.alpha, self.classes, self.targets = h, alpha, classes, targets

    def __call__(self, x: Tensor) -> Tensor:
        return worst_case_margin(self.h(x).log_softmax(dim=1), self.alpha, self.classes, self.targets)


class GatedMargin:
    """A margin of the gated mixture of g and h: where it is negative, the mixture's class is another.

    It is the larger of the gate's margin for the class and the margin of the fallback mixture. So the
    gradient closes the gate and attacks g, whichever is further from its goal. A gate that opens for
    another class changes the answer too; an attack on h alone does that.
    """

    def __init__(self, g: nn.Module, h: nn.Module, alpha: float, fallback_alpha: float, classes: Tensor):
        self.g, self.h, self.alpha, self.fallback_alpha, self.classes = g, h, alpha, fallback_alpha, classes

    def __call__(self, x: Tensor) -> Tensor:
        log_g, log_h = self.g(x).log_softmax(dim=1), self.h(x).log_softmax(dim=1)
        gate = worst_case_margin(log_h, self.alpha, self.classes)
        fallback = untargeted_margin(log_mixture(log_g, log_h, self.fallback_alpha), self.classes)
        return torch.maximum(gate, fallback)


def worst_case_margin(log_h: Tensor, alpha: float, classes: Tensor, targets: Tensor | None = None) -> Tensor:
    """The logarithmic condition of `WorstCaseMargin`, from logarithms of h. alpha is above 1/2."""
    own = log_h.gather(1, classes.unsqueeze(1))
    others = log_h.scatter(1, classes.unsqueeze(1), -math.inf)
    runner_up = others.argmax(dim=1) if targets is None else targets
    weight = torch.full_like(log_h, math.log1p(-alpha) if alpha < 1 else -math.inf)
    weight = weight.scatter(1, runner_up.unsqueeze(1), 0.0)
    return (math.log(2 * alpha - 1) + own).squeeze(1) - torch.logsumexp(others + weight, dim=1)


class UntargetedMargin:
    """The class against the runner-up, of one network or of a mixture."""

    def __init__(self, network: nn.Module, classes: Tensor):
        self.network, self.classes = network, classes

    def __call__(self, x: Tensor) -> Tensor:
        return untargeted_margin(self.network(x), self.classes)


class TargetedMargin:
    """The class against one other class."""

    def __init__(self, network: nn.Module, classes: Tensor, targets: Tensor):
        self.network, self.classes, self.targets = network, classes, targets

    def __call__(self, x: Tensor) -> Tensor:
        logits = self.network(x)
        return (logits.gather(1, self.classes.unsqueeze(1)) - logits.gather(1, self.targets.unsqueeze(1))).squeeze(1)


class LogProbability:
    """ln of the class's own probability. It is minimised like a margin, but its sign has no
    meaning.
    """

    def __init__(self, network: nn.Module, classes: Tensor):
        self.network, self.classes = network, classes

    def __call__(self, x: Tensor) -> Tensor:
        return self.network(x).log_softmax(dim=1).gather(1, self.classes.unsqueeze(1)).squeeze(1)
