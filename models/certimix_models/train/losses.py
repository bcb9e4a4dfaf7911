"""The training losses: functions of (network, levels, labels, generator) that return (logits,
loss).

`levels` are pixel levels 0..255 as floats [N, 3, 32, 32]. The network takes them divided by 255.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from certimix_models.train.batches import LEVELS, add_noise

Loss = Callable[[torch.nn.Module, torch.Tensor, torch.Tensor, torch.Generator], tuple[torch.Tensor, torch.Tensor]]


def clean(label_smoothing: float) -> Loss:
    """Cross-entropy on clean images, with label smoothing."""

    def loss(network, levels, labels, generator):
        logits = network(levels / LEVELS).float()
        return logits, F.cross_entropy(logits, labels, label_smoothing=label_smoothing)

    return loss


def noisy(sigma: float, consistency: float, entropy: float = 0.5) -> Loss:
    """Cross-entropy on two noisy copies of each image, plus a penalty on their disagreement (Jeong
    and Shin 2020, Eq. 8).

    With `consistency` 0 it is plain noise augmentation (Cohen et al. 2019) with one copy.
    """
    copies = 2 if consistency > 0 else 1

    def loss(network, levels, labels, generator):
        noisy_levels = torch.cat([add_noise(levels, sigma, generator) for _ in range(copies)])
        logits = network(noisy_levels / LEVELS).float()
        total = F.cross_entropy(logits, labels.repeat(copies))
        if consistency > 0:
            log_p = F.log_softmax(logits, dim=1).view(copies, len(labels), -1)
            mean = log_p.exp().mean(dim=0)
            log_mean = mean.clamp_min(1e-20).log()
            divergence = (mean * (log_mean - log_p)).sum(dim=2).mean()
            total = total + consistency * divergence - entropy * (mean * log_mean).sum(dim=1).mean()
        return logits[: len(labels)], total

    return loss


def one_step_adversarial(epsilon: float) -> Loss:
    """One gradient step from a noisy start, not clipped to the ball (de Jorge et al. 2022, N-FGSM).
    It avoids catastrophic overfitting at no cost. `epsilon` (l-infinity) is in units of the image
    in [0, 1].
    """
    spread, step = 2 * epsilon * LEVELS, epsilon * LEVELS

    def loss(network, levels, labels, generator):
        noisy_start = levels + (torch.rand(levels.shape, generator=generator) * 2 - 1) * spread
        noisy_start = noisy_start.contiguous(memory_format=torch.channels_last).requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(network(noisy_start / LEVELS).float(), labels), noisy_start)
        adversarial = (noisy_start.detach() + step * gradient.sign()).clamp(0, LEVELS)
        logits = network(adversarial / LEVELS).float()
        return logits, F.cross_entropy(logits, labels)

    return loss


def margin(temperature: float, offset: float) -> Loss:
    """Cross-entropy of logits / temperature after `offset` is subtracted from the true logit. It
    makes a 1-Lipschitz network learn a margin, as in Prach and Lampert 2022 (Eq. 6).
    """

    def loss(network, levels, labels, generator):
        logits = network(levels / LEVELS).float()
        reduced = logits - offset * F.one_hot(labels, logits.shape[1])
        return logits, F.cross_entropy(reduced / temperature, labels) * temperature

    return loss
