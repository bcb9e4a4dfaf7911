"""The attack inside the certified radius of a smoothed network, on its own grid: whole pixel
levels, squared distance at most `radius_sq_levels`.

The certificate states `h_y - h_i > mu` for every i. Lemma 1 then holds for any g, so an attack that
lowers h's own margin already has the worst g. Gradients of the expected margin come from many noisy
copies in each step (after Salman et al., "Provably Robust Deep Learning via Adversarially Trained
Smoothed Classifiers", NeurIPS 2019). Each step is taken at a whole-level image inside the ball. The
image with the lowest margin by votes is evaluated by fresh votes through ONNX Runtime. It is broken
if an upper confidence bound of the margin is below mu.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from certimix_models.evaluate.attacks.ball_projection import project_onto_levels
from certimix_models.evaluate.attacks.l2_attacks import MOMENTUM, unit_vectors
from certimix_models.evaluate.certificate_attacks.certificates import AttackedCertificate
from certimix_models.evaluate.mathematics import certificate_formulas, mixture_radii
from certimix_models.evaluate.mathematics.confidence_bounds import clopper_pearson_bounds
from certimix_models.evaluate.networks.bundled_model import BundledModel, pixels_to_floats
from certimix_models.evaluate.networks.noisy_votes import count_votes, noisy_copies

FALSE_ALARM_PROBABILITY = 1e-4  # for each evaluated image


@dataclass(frozen=True)
class SmoothedAttackBudget:
    """The numbers of steps, copies and votes. The fields are part of the settings of the raw
    results.
    """

    steps: int = 16
    copies: int = 12  # noisy copies in each step
    choosing: int = 100  # votes at each candidate image, to choose the worst
    judging: int = 400  # fresh votes at the worst image
    beyond: tuple[float, ...] = (3.0, 6.0)  # multiples of the radius, where the same attack should succeed
    beyond_every: int = 5  # for every n-th certificate

    def scaled_by(self, factor: float) -> "SmoothedAttackBudget":
        more = {name: math.ceil(getattr(self, name) * factor) for name in ("steps", "copies", "choosing", "judging")}
        return replace(self, **more)


def attack_smoothed(
    g: BundledModel,
    h: BundledModel,
    certificates: list[AttackedCertificate],
    first: int,
    pixels: np.ndarray,
    budget: SmoothedAttackBudget,
    seed: int,
) -> tuple[list[dict], dict]:
    """The rows of results and the worst images inside the radius. `first` is the position of the
    first certificate among all.
    """
    rows, images = [], []
    for position, (certificate, levels) in enumerate(zip(certificates, pixels, strict=True), start=first):
        generator = np.random.default_rng([seed, 2, certificate.index])
        torch.manual_seed(seed * 100_000 + certificate.index)
        worst_image, name = _worst_image(h, levels, certificate, certificate.radius_sq_levels, budget, generator)
        row = (
            certificate.settings()
            | {"attack": name}
            | _evaluate_image(g, h, worst_image, certificate, budget, generator)
        )
        row["squares"] = int(((worst_image.astype(np.int64) - levels.astype(np.int64)) ** 2).sum())
        clean_votes = count_votes(h, levels, budget.judging, generator)
        row["clean_margin"] = _vote_margin(clean_votes, certificate.class_index)[0]
        for multiple in budget.beyond:
            row[f"margin_at_{multiple:g}"] = ""
            if position % budget.beyond_every == 0:
                squared_radius = int(multiple**2 * certificate.radius_sq_levels)
                image_beyond, _ = _worst_image(h, levels, certificate, squared_radius, budget, generator)
                row[f"margin_at_{multiple:g}"] = _vote_margin(
                    count_votes(h, image_beyond, budget.judging, generator), certificate.class_index
                )[0]
        rows.append(row)
        images.append(worst_image)
    return rows, {"images": pixels, "worst_case": np.stack(images), "index": [c.index for c in certificates]}


def _worst_image(
    h,
    levels: np.ndarray,
    certificate: AttackedCertificate,
    squared_radius: int,
    budget: SmoothedAttackBudget,
    generator,
) -> tuple[np.ndarray, str]:
    """The image with the lowest margin among the results of all attacks, by votes under the same
    noise for each.
    """
    y = certificate.class_index
    candidates = {
        name: _descend(h, levels, y, squared_radius, loss, start, budget, generator) for name, loss, start in ATTACKS
    }
    noise = int(generator.integers(2**62))
    margins = {
        name: _vote_margin(count_votes(h, image, budget.choosing, np.random.default_rng(noise)), y)[0]
        for name, image in candidates.items()
    }
    name = min(margins, key=margins.get)
    return candidates[name], name


def _descend(
    h, levels, y: int, squared_radius: int, loss, random_start: bool, budget: SmoothedAttackBudget, generator
) -> np.ndarray:
    """Projected gradient descent of the expected margin over real perturbations. The gradient is
    taken at whole levels.
    """
    radius, sigma = math.sqrt(squared_radius), h.manifest["guarantee"]["sigma"]
    perturbation = torch.zeros(levels.shape, dtype=torch.float64)
    if random_start:
        perturbation = radius * unit_vectors(torch.randn(1, *levels.shape, dtype=torch.float64))[0]
    velocity = torch.zeros_like(perturbation)
    for step in range(budget.steps):
        whole_levels = project_onto_levels(levels, perturbation.numpy(), squared_radius)
        x = torch.from_numpy(noisy_copies(whole_levels, budget.copies, sigma, generator)).requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(loss(h.torch_module(x).log_softmax(dim=1), y), x)
        velocity = MOMENTUM * velocity + unit_vectors(gradient.sum(dim=0, keepdim=True).double())[0]
        length = 0.02 + 0.49 * (1 + math.cos(math.pi * step / budget.steps))
        perturbation = perturbation - length * radius * unit_vectors(velocity[None])[0]
        distance = float(perturbation.norm())
        if distance > radius:
            perturbation = perturbation * (radius / distance)
        perturbation = torch.from_numpy((levels + perturbation.numpy()).clip(0, 255) - levels)
    return project_onto_levels(levels, perturbation.numpy(), squared_radius)


def _logit_margin(log_p: Tensor, y: int) -> Tensor:
    """The mean difference of the logits. Its gradient does not vanish where h is confident in every
    copy.
    """
    others = torch.cat([log_p[:, :y], log_p[:, y + 1 :]], dim=1)
    return (log_p[:, y] - others.amax(dim=1)).mean()


def _log_margin(log_p: Tensor, y: int) -> Tensor:
    """ln h_y - ln h_i of the copies' mean probabilities, where i is the runner-up."""
    means = torch.logsumexp(log_p, dim=0)
    others = torch.cat([means[:y], means[y + 1 :]])
    return means[y] - others.max()


ATTACKS = (
    ("margin", _log_margin, False),
    ("logit margin", _logit_margin, False),
    ("margin from a random start", _log_margin, True),
)


def _vote_margin(votes: np.ndarray, y: int) -> tuple[float, int]:
    """The margin as a share of the votes, and the runner-up."""
    others = votes.copy()
    others[y] = -1
    runner_up = int(others.argmax())
    return float((votes[y] - votes[runner_up]) / votes.sum()), runner_up


def _evaluate_image(
    g, h, worst_image: np.ndarray, certificate: AttackedCertificate, budget: SmoothedAttackBudget, generator
) -> dict:
    """The columns with the result, from fresh votes."""
    y, mu = certificate.class_index, certificate_formulas.required_margin(certificate.alpha)
    # The votes that choose the runner-up are not those that bound it, so the bound needs no
    # correction for the other classes.
    _, i = _vote_margin(count_votes(h, worst_image, budget.choosing, generator), y)
    votes = count_votes(h, worst_image, budget.judging, generator)
    drawn = budget.judging
    _, own_upper = clopper_pearson_bounds(int(votes[y]), drawn, FALSE_ALARM_PROBABILITY / 2)
    other_lower, _ = clopper_pearson_bounds(int(votes[i]), drawn, FALSE_ALARM_PROBABILITY / 2)
    # The class of the served mixture at the shares of these votes: the most likely answer.
    probabilities = np.exp(certificate_formulas.log_probabilities(g.logits(pixels_to_floats(worst_image[None]))))[0]
    answer = mixture_radii.gated_classes(
        certificate.alpha, certificate.fallback_alpha, probabilities[None], votes[None] / drawn
    )
    return {
        "margin": float((votes[y] - votes[i]) / drawn),
        "margin_upper": own_upper - other_lower,
        "needed": mu,
        "votes_for_class": int(votes[y]),
        "votes_for_runner_up": int(votes[i]),
        "judging_votes": drawn,
        "mixture_answers": int(answer[0]),
        "broken": bool(own_upper - other_lower < mu),
    }
