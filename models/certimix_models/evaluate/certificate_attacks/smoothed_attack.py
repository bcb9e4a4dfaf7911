"""The attack inside the certified radius of a smoothed network, on its own grid: whole pixel levels, squared distance at most
`radius_sq_levels`.

What is certified is `h_y - h_i > mu` for every i: Lemma 1 then holds for any g, so the attacker who lowers h's own margin has the worst
g already. Gradients of the expected margin come from many noisy copies a step (after Salman et al., "Provably Robust Deep Learning via
Adversarially Trained Smoothed Classifiers", NeurIPS 2019), and each step is taken at a whole-level image inside the ball. The best of
the images found, by votes, is judged by fresh votes through ONNX Runtime: broken if an upper confidence bound of the margin is below mu.
"""

import math
from dataclasses import dataclass, replace

import exact
import models
import numpy as np
import torch
from ball import integer_inside
from bounds import clopper_pearson
from given_certificates import Certified
from l2_attacks import MOMENTUM, unit
from models import to_floats
from noisy_votes import counts, noisy
from torch import Tensor

FALSE_ALARM = 1e-4  # of each image that is judged


@dataclass(frozen=True)
class Effort:
    steps: int = 16
    copies: int = 12  # noisy copies a step
    choosing: int = 100  # votes at each image found, to choose the worst
    judging: int = 400  # fresh votes at that one
    beyond: tuple[float, ...] = (3.0, 6.0)  # multiples of the radius, where the same attack should succeed
    beyond_every: int = 5  # at every so many certificates

    def times(self, factor: int) -> "Effort":
        more = {name: getattr(self, name) * factor for name in ("steps", "copies", "choosing", "judging")}
        return replace(self, **more)


def attack(
    g: models.Model, h: models.Model, given: list[Certified], first: int, pixels: np.ndarray, effort: Effort, seed: int
) -> tuple[list[dict], dict]:
    """Rows of results and the worst images found inside the radius. `first` is the number of the first certificate among all."""
    rows, images = [], []
    for number, (certificate, levels) in enumerate(zip(given, pixels, strict=True), start=first):
        random = np.random.default_rng([seed, 2, certificate.index])
        torch.manual_seed(seed * 100_000 + certificate.index)
        worst, name = _worst(h, levels, certificate, certificate.radius_sq_levels, effort, random)
        row = certificate.settings() | {"attack": name} | _judge(g, h, worst, certificate, effort, random)
        row["squares"] = int(((worst.astype(np.int64) - levels.astype(np.int64)) ** 2).sum())
        row["clean_margin"] = _margin(counts(h, levels, effort.judging, random), certificate.class_index)[0]
        for multiple in effort.beyond:
            row[f"margin_at_{multiple:g}"] = ""
            if number % effort.beyond_every == 0:
                squares = int(multiple**2 * certificate.radius_sq_levels)
                further, _ = _worst(h, levels, certificate, squares, effort, random)
                row[f"margin_at_{multiple:g}"] = _margin(counts(h, further, effort.judging, random), certificate.class_index)[0]
        rows.append(row)
        images.append(worst)
    return rows, {"images": pixels, "worst_case": np.stack(images), "index": [c.index for c in given]}


def _worst(h, levels: np.ndarray, certificate: Certified, squares: int, effort: Effort, random) -> tuple[np.ndarray, str]:
    """The image with the lowest margin among the ends of all attacks, by votes under the same noise for each."""
    y = certificate.class_index
    found = {name: _descend(h, levels, y, squares, loss, start, effort, random) for name, loss, start in ATTACKS}
    noise = int(random.integers(2**62))
    margins = {
        name: _margin(counts(h, image, effort.choosing, np.random.default_rng(noise)), y)[0] for name, image in found.items()
    }
    name = min(margins, key=margins.get)
    return found[name], name


def _descend(h, levels, y: int, squares: int, loss, random_start: bool, effort: Effort, random) -> np.ndarray:
    """Projected gradient descent of the expected margin over real perturbations, whose gradient is taken at whole levels."""
    radius, sigma = math.sqrt(squares), h.manifest["guarantee"]["sigma"]
    moved = torch.zeros(levels.shape, dtype=torch.float64)
    if random_start:
        moved = radius * unit(torch.randn(1, *levels.shape, dtype=torch.float64))[0]
    velocity = torch.zeros_like(moved)
    for step in range(effort.steps):
        at = integer_inside(levels, moved.numpy(), squares)
        x = torch.from_numpy(noisy(at, effort.copies, sigma, random)).requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(loss(h.torch(x).log_softmax(dim=1), y), x)
        velocity = MOMENTUM * velocity + unit(gradient.sum(dim=0, keepdim=True).double())[0]
        length = 0.02 + 0.49 * (1 + math.cos(math.pi * step / effort.steps))
        moved = moved - length * radius * unit(velocity[None])[0]
        distance = float(moved.norm())
        if distance > radius:
            moved = moved * (radius / distance)
        moved = torch.from_numpy((levels + moved.numpy()).clip(0, 255) - levels)
    return integer_inside(levels, moved.numpy(), squares)


def _logit_margin(log_p: Tensor, y: int) -> Tensor:
    """The mean difference of the logits, whose gradient does not vanish where h is sure in every copy."""
    others = torch.cat([log_p[:, :y], log_p[:, y + 1 :]], dim=1)
    return (log_p[:, y] - others.amax(dim=1)).mean()


def _log_margin(log_p: Tensor, y: int) -> Tensor:
    """ln h_y - ln h_i of the copies' mean probabilities, i the nearest class."""
    means = torch.logsumexp(log_p, dim=0)
    others = torch.cat([means[:y], means[y + 1 :]])
    return means[y] - others.max()


ATTACKS = (("margin", _log_margin, False), ("logit margin", _logit_margin, False), ("margin from a random start", _log_margin, True))


def _margin(votes: np.ndarray, y: int) -> tuple[float, int]:
    others = votes.copy()
    others[y] = -1
    runner_up = int(others.argmax())
    return float((votes[y] - votes[runner_up]) / votes.sum()), runner_up


def _judge(g, h, worst: np.ndarray, certificate: Certified, effort: Effort, random) -> dict:
    y, mu = certificate.class_index, exact.needed_margin(certificate.alpha)
    # The runner-up is chosen by other votes than those that bound it, so that one bound needs no share for the other classes.
    _, i = _margin(counts(h, worst, effort.choosing, random), y)
    votes = counts(h, worst, effort.judging, random)
    drawn = effort.judging
    _, own_upper = clopper_pearson(int(votes[y]), drawn, FALSE_ALARM / 2)
    other_lower, _ = clopper_pearson(int(votes[i]), drawn, FALSE_ALARM / 2)
    # The mixture that is served, at the shares of these votes: what a caller would most likely have seen.
    probabilities = np.exp(exact.log_probabilities(g.logits(to_floats(worst[None]))))[0]
    mixed = (1 - certificate.alpha) * probabilities + certificate.alpha * votes / drawn
    return {
        "margin": float((votes[y] - votes[i]) / drawn),
        "margin_upper": own_upper - other_lower,
        "needed": mu,
        "votes_for_class": int(votes[y]),
        "votes_for_runner_up": int(votes[i]),
        "judging_votes": drawn,
        "mixture_answers": int(mixed.argmax()),
        "broken": bool(own_upper - other_lower < mu),
    }
