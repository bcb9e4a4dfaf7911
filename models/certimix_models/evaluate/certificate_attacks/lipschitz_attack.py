"""The attacks inside the certified radius of a Lipschitz network, and the smallest perturbations
beyond it.

Inside, projected gradient descent runs on the certificate's own condition (the g that helps most),
on the mixture with the real g (its margin, its cross-entropy, each other class), on the gated mixture
(first the gate, then g), on h alone and on g alone, from the image and from random points of the
sphere. The results are evaluated at the
radius and at 0.999 of it, by ONNX Runtime and float64, at distances measured in float64.
"""

import math
from dataclasses import astuple, dataclass

import numpy as np
import torch

from certimix_models.evaluate.attacks.ball_projection import perturbation_norms, project_into_open_ball
from certimix_models.evaluate.attacks.l2_attacks import find_smallest_perturbation, minimise_margin
from certimix_models.evaluate.attacks.margin_functions import (
    GatedMargin,
    LogProbability,
    TargetedMargin,
    UntargetedMargin,
    WorstCaseMargin,
)
from certimix_models.evaluate.certificate_attacks.certificates import AttackedCertificate
from certimix_models.evaluate.mathematics import certificate_formulas
from certimix_models.evaluate.networks.bundled_model import BundledModel, TemperatureScaled, pixels_to_floats
from certimix_models.evaluate.networks.mixture import AlphaMixture

RADIUS_SHARES = (1.0, 0.999)
HALVINGS = 14
OVERSHOOT = 1.02  # the boundaries of torch and ONNX Runtime differ in the last digits


@dataclass(frozen=True)
class LipschitzAttackBudget:
    """The numbers of steps, restarts and targeted classes."""

    steps: int = 30
    steps_targeted: int = 15
    steps_smallest: int = 60
    restarts: int = 2  # for attacks on both networks; half as many for one network
    targets: int = 9  # other classes that are also targeted through h
    targets_mixture: int = 3  # and through the mixture, where a step costs more

    def scaled_by(self, factor: float) -> "LipschitzAttackBudget":
        return LipschitzAttackBudget(*(math.ceil(value * factor) for value in astuple(self)))


class MarginEvaluator:
    """Both conditions by ONNX Runtime: h's margin above what Lemma 1 needs, and the mixture's own
    margin, in probabilities.
    """

    def __init__(self, g: BundledModel, h: BundledModel, certificates: list[AttackedCertificate]):
        self.g, self.h, self.settings = g, h, certificates[0]
        self.classes = np.array([certificate.class_index for certificate in certificates])

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        alpha, fallback_alpha = self.settings.alpha, self.settings.fallback_alpha
        log_h = certificate_formulas.log_probabilities(self.h.logits(images), self.settings.temperature)
        log_g = certificate_formulas.log_probabilities(self.g.logits(images))
        worst_case = certificate_formulas.smallest_margin(
            np.exp(log_h), self.classes
        ) - certificate_formulas.required_margin(alpha)
        mixture = certificate_formulas.smallest_margin(
            np.exp(certificate_formulas.log_gated_mixture(alpha, fallback_alpha, log_g, log_h)), self.classes
        )
        return worst_case, mixture


def attack_lipschitz(
    g: BundledModel,
    h: BundledModel,
    certificates: list[AttackedCertificate],
    pixels: np.ndarray,
    budget: LipschitzAttackBudget,
) -> tuple[list[dict], dict]:
    """The rows of results and the strongest adversarial images. All certificates have the same
    alpha, fallback_alpha and temperature.
    """
    settings = certificates[0]
    images = pixels_to_floats(pixels)
    radius = np.array([certificate.radius for certificate in certificates])
    classes = np.array([certificate.class_index for certificate in certificates])
    evaluator = MarginEvaluator(g, h, certificates)
    tempered = TemperatureScaled(h.torch_module, settings.temperature)
    x, y, r = (torch.from_numpy(images), torch.from_numpy(classes), torch.from_numpy(radius.astype(np.float32)))
    inside = _LowestMargins(evaluator, images, radius)
    for name, adversarial in _all_attacks(g.torch_module, tempered, settings, x, y, r, budget):
        inside.add(name, adversarial.numpy())
    perturbations = _smallest_perturbations(g.torch_module, tempered, settings, x, y, r, budget)
    rows = [certificate.settings() for certificate in certificates]
    for k, name in enumerate(("worst_case", "mixture")):
        beyond = _shrink_to_boundary(evaluator, k, images, perturbations[name])
        for i, row in enumerate(rows):
            row[f"{name}_margin"] = float(inside.margins[k][i])
            row[f"{name}_attack"] = inside.names[k][i]
            row[f"{name}_distance"] = float(inside.distances[k][i])
            row[f"{name}_smallest"] = float(beyond[i])
    for row in rows:
        smallest_found = min(row["worst_case_smallest"], row["mixture_smallest"])
        row["broken"] = bool(min(row["worst_case_margin"], row["mixture_margin"]) < 0 or smallest_found < row["radius"])
    return rows, {
        "images": images,
        "worst_case": inside.images[0],
        "mixture": inside.images[1],
        "index": [c.index for c in certificates],
    }


def _all_attacks(g, h, settings: AttackedCertificate, x, y, r, budget: LipschitzAttackBudget):
    """Runs every attack inside the ball and yields its name and its images."""
    alpha = settings.alpha
    mixture = AlphaMixture(g, h, alpha)
    untargeted_attacks = {
        "any g": WorstCaseMargin(h, alpha, y),
        "mixture margin": UntargetedMargin(mixture, y),
        "mixture cross entropy": LogProbability(mixture, y),
        "h alone": UntargetedMargin(h, y),
        "g alone": UntargetedMargin(g, y),
    }
    if settings.fallback_alpha < alpha:
        untargeted_attacks["gate, then g"] = GatedMargin(g, h, alpha, settings.fallback_alpha, y)
    for name, margin in untargeted_attacks.items():
        for restart in range((budget.restarts + 1) // 2 if name.endswith("alone") else budget.restarts):
            yield name, minimise_margin(margin, x, r, budget.steps, random_start=restart > 0)
    with torch.no_grad():  # the other classes, ranked by the mixture
        ranked_classes = mixture(x).scatter(1, y.unsqueeze(1), -torch.inf).argsort(dim=1, descending=True)[:, :-1]
    for targets in ranked_classes.T[: budget.targets]:
        yield ("any g each class", minimise_margin(WorstCaseMargin(h, alpha, y, targets), x, r, budget.steps_targeted))
    for targets in ranked_classes.T[: budget.targets_mixture]:
        yield ("mixture each class", minimise_margin(TargetedMargin(mixture, y, targets), x, r, budget.steps_targeted))


def _smallest_perturbations(
    g, h, settings: AttackedCertificate, x, y, r, budget: LipschitzAttackBudget
) -> dict[str, list[np.ndarray]]:
    alpha, fallback_alpha = settings.alpha, settings.fallback_alpha
    mixture_margin = (
        GatedMargin(g, h, alpha, fallback_alpha, y)
        if fallback_alpha < alpha
        else UntargetedMargin(AlphaMixture(g, h, alpha), y)
    )
    margins = {"worst_case": WorstCaseMargin(h, alpha, y), "mixture": mixture_margin}
    return {
        name: [find_smallest_perturbation(margin, x, r, budget.steps_smallest).numpy()]
        for name, margin in margins.items()
    }


class _LowestMargins:
    """The lowest margins so far, of both kinds, and the images that have them."""

    def __init__(self, evaluator: MarginEvaluator, images: np.ndarray, radius: np.ndarray):
        self.evaluator, self.start, self.radius = evaluator, images, radius
        self.margins = [np.array(margin) for margin in evaluator(images)]
        self.images = [images.copy(), images.copy()]
        self.names = [["none"] * len(images) for _ in range(2)]
        self.distances = [np.zeros(len(images)), np.zeros(len(images))]

    def add(self, name: str, adversarial: np.ndarray) -> None:
        for scale in RADIUS_SHARES:
            candidate = project_into_open_ball(self.start, adversarial, scale * self.radius, "l2")
            distance = perturbation_norms(self.start, candidate, "l2")
            for k, margin in enumerate(self.evaluator(candidate)):
                for i in np.flatnonzero(margin < self.margins[k]):
                    self.margins[k][i], self.images[k][i] = margin[i], candidate[i]
                    self.names[k][i], self.distances[k][i] = name, distance[i]


def _shrink_to_boundary(
    evaluator: MarginEvaluator, kind: int, images: np.ndarray, candidates: list[np.ndarray]
) -> np.ndarray:
    """The shortest distance at which ONNX Runtime gives a negative margin, by bisection towards the
    image; infinite if there is none.
    """
    shortest = np.full(len(images), np.inf)
    for adversarial in candidates:
        low, high = np.zeros(len(images)), np.full(len(images), OVERSHOOT)
        for k in range(HALVINGS):
            step_share = (low + high) / 2 if k else high
            candidate = (
                (images + step_share.reshape(-1, 1, 1, 1) * (adversarial.astype(np.float64) - images))
                .astype(np.float32)
                .clip(0, 1)
            )
            broken = evaluator(candidate)[kind] < 0
            length = perturbation_norms(images, candidate, "l2")
            shortest = np.where(broken & (length < shortest), length, shortest)
            low, high = np.where(broken, low, step_share), np.where(broken, step_share, high)
    return shortest
