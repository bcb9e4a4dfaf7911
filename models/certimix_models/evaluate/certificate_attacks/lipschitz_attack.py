"""The attacks inside the certified radius of a Lipschitz network, and the smallest perturbations beyond it.

Inside: projected gradient descent on the certificate's own condition (the g that helps most), on the mixture with the real g (its
margin, its cross entropy, each other class), on h alone and on g alone, from the image and from random points of the sphere. What each
finds is judged at the radius and at 0.999 of it, by ONNX Runtime and float64, at distances measured in float64.
"""

from dataclasses import astuple, dataclass

import ball
import exact
import models
import numpy as np
import torch
from attack_margins import CrossEntropy, Least, Targeted, WorstCase
from given_certificates import Certified
from l2_attacks import lowest, smallest
from mixture import AlphaMixture
from models import to_floats

SCALES = (1.0, 0.999)
HALVINGS = 14
NEAREST = 3  # other classes that are also aimed at through the mixture, where a step costs more; all of them through h
OVERSHOOT = 1.02  # torch's boundary and ONNX Runtime's differ in the last digits


@dataclass(frozen=True)
class Effort:
    steps: int = 30
    steps_targeted: int = 15
    steps_smallest: int = 60
    restarts: int = 2  # of the attacks on both networks; on one alone, half as many

    def times(self, factor: int) -> "Effort":
        return Effort(*(value * factor for value in astuple(self)))


class Judge:
    """Both conditions by ONNX Runtime: h's margin over what Lemma 1 needs, and the mixture's own margin, in probabilities."""

    def __init__(self, g: models.Model, h: models.Model, alpha: float, temperature: float, classes: np.ndarray):
        self.g, self.h, self.alpha, self.temperature, self.classes = g, h, alpha, temperature, classes

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        log_h = exact.log_probabilities(self.h.logits(images), self.temperature)
        log_g = exact.log_probabilities(self.g.logits(images))
        worst_case = exact.least_margin(np.exp(log_h), self.classes) - exact.needed_margin(self.alpha)
        mixture = exact.least_margin(np.exp(exact.log_mixture(self.alpha, log_g, log_h)), self.classes)
        return worst_case, mixture


def attack(g: models.Model, h: models.Model, given: list[Certified], pixels: np.ndarray, effort: Effort) -> tuple[list[dict], dict]:
    """Rows of results and the strongest adversarial images; all certificates with one alpha and one temperature."""
    alpha, temperature = given[0].alpha, given[0].temperature
    images = to_floats(pixels)
    radius = np.array([certificate.radius for certificate in given])
    classes = np.array([certificate.class_index for certificate in given])
    judge = Judge(g, h, alpha, temperature, classes)
    tempered = models.Tempered(h.torch, temperature)
    x, y, r = torch.from_numpy(images), torch.from_numpy(classes), torch.from_numpy(radius.astype(np.float32))
    inside = _Lowest(judge, images, radius)
    for name, moved in _attempts(g.torch, tempered, alpha, x, y, r, effort):
        inside.add(name, moved.numpy())
    near = _smallest(g.torch, tempered, alpha, x, y, r, effort)
    rows = [certificate.settings() for certificate in given]
    for k, name in enumerate(("worst_case", "mixture")):
        beyond = _towards(judge, k, images, near[name])
        for i, row in enumerate(rows):
            row[f"{name}_margin"] = float(inside.margins[k][i])
            row[f"{name}_attack"] = inside.names[k][i]
            row[f"{name}_distance"] = float(inside.distances[k][i])
            row[f"{name}_smallest"] = float(beyond[i])
    for row in rows:
        smallest_found = min(row["worst_case_smallest"], row["mixture_smallest"])
        row["broken"] = bool(min(row["worst_case_margin"], row["mixture_margin"]) < 0 or smallest_found < row["radius"])
    return rows, {"images": images, "worst_case": inside.images[0], "mixture": inside.images[1], "index": [c.index for c in given]}


def _attempts(g, h, alpha, x, y, r, effort: Effort):
    """Every attack inside the ball, one after another, with its name."""
    mixture = AlphaMixture(g, h, alpha)
    whole = {
        "any g": WorstCase(h, alpha, y),
        "mixture margin": Least(mixture, y),
        "mixture cross entropy": CrossEntropy(mixture, y),
        "h alone": Least(h, y),
        "g alone": Least(g, y),
    }
    for name, margin in whole.items():
        for restart in range((effort.restarts + 1) // 2 if name.endswith("alone") else effort.restarts):
            yield name, lowest(margin, x, r, effort.steps, random_start=restart > 0)
    with torch.no_grad():  # the other classes, the nearest of each row first
        order = mixture(x).scatter(1, y.unsqueeze(1), -torch.inf).argsort(dim=1, descending=True)[:, :-1]
    for targets in order.T:
        yield "any g each class", lowest(WorstCase(h, alpha, y, targets), x, r, effort.steps_targeted)
    for targets in order.T[:NEAREST]:
        yield "mixture each class", lowest(Targeted(mixture, y, targets), x, r, effort.steps_targeted)


def _smallest(g, h, alpha, x, y, r, effort: Effort) -> dict[str, list[np.ndarray]]:
    worst_case = smallest(WorstCase(h, alpha, y), x, r, effort.steps_smallest).numpy()
    mixture = smallest(Least(AlphaMixture(g, h, alpha), y), x, r, effort.steps_smallest).numpy()
    return {"worst_case": [worst_case], "mixture": [mixture]}


class _Lowest:
    """The lowest margins so far, of both kinds, and where they were found."""

    def __init__(self, judge: Judge, images: np.ndarray, radius: np.ndarray):
        self.judge, self.start, self.radius = judge, images, radius
        self.margins = [np.array(margin) for margin in judge(images)]
        self.images = [images.copy(), images.copy()]
        self.names = [["none"] * len(images) for _ in range(2)]
        self.distances = [np.zeros(len(images)), np.zeros(len(images))]

    def add(self, name: str, moved: np.ndarray) -> None:
        for scale in SCALES:
            candidate = ball.inside(self.start, moved, scale * self.radius, "l2")
            distance = ball.distance(self.start, candidate, "l2")
            for k, margin in enumerate(self.judge(candidate)):
                for i in np.flatnonzero(margin < self.margins[k]):
                    self.margins[k][i], self.images[k][i] = margin[i], candidate[i]
                    self.names[k][i], self.distances[k][i] = name, distance[i]


def _towards(judge: Judge, kind: int, images: np.ndarray, candidates: list[np.ndarray]) -> np.ndarray:
    """The shortest distance at which ONNX Runtime sees the margin negative, halving the way back to the image; infinite if none."""
    shortest = np.full(len(images), np.inf)
    for moved in candidates:
        low, high = np.zeros(len(images)), np.full(len(images), OVERSHOOT)
        for k in range(HALVINGS):
            share = (low + high) / 2 if k else high
            tried = (images + share.reshape(-1, 1, 1, 1) * (moved.astype(np.float64) - images)).astype(np.float32).clip(0, 1)
            broken = judge(tried)[kind] < 0
            length = ball.distance(images, tried, "l2")
            shortest = np.where(broken & (length < shortest), length, shortest)
            low, high = np.where(broken, low, share), np.where(broken, share, high)
    return shortest
