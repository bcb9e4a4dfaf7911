"""The mixture of a standard network g and a robust network h in torch: differentiable, in the log
domain.

    Eq. 4 of the paper, for a weight alpha of h:   f_i = ln((1 - alpha) g_i + alpha h_i)
    Eq. 3, for a choice of R_i:                    f_i = (g_i + gamma R_i h_i) / (1 + gamma R_i)
    Eq. 1, Eq. 2 (locally biased smoothing):       R_i = ||grad g_i||, Eq. 1 without the division

The gated mixture is Eq. 4 with weight alpha where the margin of h is at least (1 - alpha) / alpha,
and with a smaller fallback weight elsewhere.

g_i and h_i are logits or probabilities (`SCALES`). For probabilities the result is the logarithm of
f_i, so that the cross-entropy of an attack is that of the mixture. Norms of gradients are dual to
the norm of the attack: 1 for l-infinity, 2 for l2.

The networks are piecewise linear (convolutions, ReLU, maxima, pooling). So the Jacobian of their
logits is constant around almost every point, and R_i depends on x through the softmax alone. One
backward pass for each class therefore gives the exact end-to-end gradient, including that of R_i,
without second derivatives. `self-test` compares the two.
"""

import torch
from torch import Tensor, nn

SCALES = ("logits", "probabilities")
R_CHOICES = {
    "one": "1",
    "gradient": r"$||\nabla g_i||$",
    "largest": r"$||\nabla \max_j g_j||$",
    "ratio": r"$||\nabla g_i|| / ||\nabla h_i||$",
}
# ||grad max_j g_j|| / ||grad max_j h_j||: the authors' code uses it instead of the ratio
RATIO_OF_LARGEST = "ratio of the largest"
DUAL = {"linf": 1, "l2": 2}
TINY = 1e-30  # keeps the logarithm and the quotient of a vanishing gradient finite


def log_mixture(log_g: Tensor, log_h: Tensor, alpha: float) -> Tensor:
    """Eq. 4, from logarithms of probabilities. At alpha 0 and 1 it is exactly g and h."""
    if alpha in (0, 1):
        return log_h if alpha else log_g
    weight = torch.tensor(alpha, dtype=log_g.dtype)
    return torch.logaddexp(log_g + torch.log1p(-weight), log_h + torch.log(weight))


def mix_with_weight(g: Tensor, h: Tensor, weight: Tensor, scale: str, normalised: bool = True) -> Tensor:
    """Eq. 3 with `weight` = gamma R_i: from logits, or from logarithms of probabilities to the
    logarithm of f.
    """
    if scale == "logits":
        f = g + weight * h
        return f / (1 + weight) if normalised else f
    f = torch.logaddexp(g, h + weight.clamp_min(TINY).log())
    return f - torch.log1p(weight) if normalised else f


def logits_and_jacobian(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [N, K], differentiable in x, and their gradients [N, K, D], which are constants."""
    logits = network(x)
    rows = [torch.autograd.grad(logits[:, i].sum(), x, retain_graph=True)[0] for i in range(logits.shape[1])]
    return logits, torch.stack([row.flatten(1) for row in rows], dim=1)


def gradient_norms(logits: Tensor, gradients: Tensor, scale: str, norm: str, largest: bool = False) -> Tensor:
    """The norm of each output's gradient, [N, K], or only of the largest output's, [N, 1]."""
    rows, chosen = gradients, slice(None)
    if largest:
        chosen = logits.argmax(dim=1, keepdim=True)
        rows = gradients.gather(1, chosen.unsqueeze(2).expand(-1, -1, gradients.shape[2]))
    if scale == "probabilities":
        probabilities = logits.softmax(dim=1)
        mean = torch.einsum("nk,nkd->nd", probabilities, gradients).unsqueeze(1)
        own = probabilities.gather(1, chosen) if largest else probabilities
        rows = own.unsqueeze(2) * (rows - mean)
    return torch.linalg.vector_norm(rows, ord=DUAL[norm], dim=2)


def local_weight(choice: str, scale: str, norm: str, g: tuple, h: tuple) -> Tensor:
    """R_i, [N, K] or [N, 1]. g and h are pairs of logits and their gradients (None if the choice
    needs none).
    """
    if choice == "one":
        return torch.ones_like(g[0][:, :1])
    largest = choice in ("largest", RATIO_OF_LARGEST)
    own = gradient_norms(*g, scale, norm, largest)
    return own / gradient_norms(*h, scale, norm, largest).clamp_min(TINY) if needs_gradients_of_h(choice) else own


def needs_gradients_of_h(choice: str) -> bool:
    return choice in ("ratio", RATIO_OF_LARGEST)


class AlphaMixture(nn.Module):
    """Eq. 4 on two networks that return logits."""

    def __init__(self, g: nn.Module, h: nn.Module, alpha: float):
        super().__init__()
        self.g, self.h, self.alpha = g, h, alpha

    def forward(self, x: Tensor) -> Tensor:
        return log_mixture(self.g(x).log_softmax(dim=1), self.h(x).log_softmax(dim=1), self.alpha)


class GatedMixture(nn.Module):
    """The gated mixture of two networks that return logits.

    An attack cannot differentiate the gate. With a `gate_width` the weight passes from the fallback
    to alpha smoothly, as the logistic function of the margin over that width: a stand-in with
    gradients. Without one the gate is exact.
    """

    def __init__(
        self, g: nn.Module, h: nn.Module, alpha: float, fallback_alpha: float, gate_width: float | None = None
    ):
        super().__init__()
        self.g, self.h, self.alpha, self.fallback_alpha = g, h, alpha, fallback_alpha
        self.gate_width = gate_width

    def forward(self, x: Tensor) -> Tensor:
        log_g, log_h = self.g(x).log_softmax(dim=1), self.h(x).log_softmax(dim=1)
        largest = log_h.topk(2, dim=1).values.exp()
        excess = (largest[:, :1] - largest[:, 1:]) - (1 - self.alpha) / self.alpha
        is_open = (excess >= 0).to(excess.dtype) if self.gate_width is None else (excess / self.gate_width).sigmoid()
        weight = self.fallback_alpha + (self.alpha - self.fallback_alpha) * is_open
        return torch.logaddexp(
            log_g + (1 - weight).clamp_min(TINY).log(),
            log_h + weight.clamp_min(TINY).log(),
        )


class GammaMixture(nn.Module):
    """Eq. 1 to 3 on two networks that return logits.

    h may also be a `ConstantOracle`, with values in the scale of the mixture.
    """

    def __init__(
        self, g: nn.Module, h: nn.Module, gamma: float, choice: str, scale: str, norm: str, normalised: bool = True
    ):
        super().__init__()
        self.g, self.h = g, h
        self.gamma, self.choice, self.scale, self.norm, self.normalised = (gamma, choice, scale, norm, normalised)

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            g, h = self.evaluate_networks(x)
            return self.combine(g[0], h[0], local_weight(self.choice, self.scale, self.norm, g, h))

    def evaluate_networks(self, x: Tensor) -> tuple:
        """The logits of g and h, each with its gradients if the choice of R_i needs them."""
        g = logits_and_jacobian(self.g, x) if self.choice != "one" else (self.g(x), None)
        h = logits_and_jacobian(self.h, x) if needs_gradients_of_h(self.choice) else (self.h(x), None)
        return g, h

    def combine(self, logits_g: Tensor, values_h: Tensor, r: Tensor) -> Tensor:
        """The mixture, from the logits of g, the values of h and R_i."""
        g, h = logits_g, values_h
        if self.scale == "probabilities":
            g = g.log_softmax(dim=1)
            h = h if isinstance(self.h, ConstantOracle) else h.log_softmax(dim=1)
        return mix_with_weight(g, h, self.gamma * r, self.scale, self.normalised)


class ConstantOracle(nn.Module):
    """Values that do not depend on x locally: the nearest neighbour's class, during an attack."""

    def __init__(self, values: Tensor):
        super().__init__()
        self.values = values

    def forward(self, x: Tensor) -> Tensor:
        return self.values
