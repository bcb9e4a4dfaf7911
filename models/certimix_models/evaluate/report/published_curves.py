"""The authors' own curves over gamma, docs/results/paper_curves.csv, as their public notebook
prints them (paper_numbers.csv).

alpha is gamma / (1 + gamma) where R_i is 1. At gamma 0 and at infinity the accuracies are those of
g and h. Between two measured gammas the curve is a straight line, as in the authors' figures. The
tables of the documents use this module, so it needs Python only.
"""

import csv
from itertools import pairwise
from math import inf

from certimix_models.repository import RESULTS

AUTHORS_MODELS = {
    "linf": "g: ConvNeXt-T, h: WideResNet-34 (TRADES)",
    "l2": "g: ResNet-18, h: ResNet-18 (adversarially trained)",
}
AUTHORS_IMAGES = 2000

Points = list[tuple[float, float]]


def load_curves(norm: str, curve: str = "one-probabilities") -> dict[str, Points]:
    """For each measured attack: gamma and the accuracy in per cent, by increasing gamma. Empty if
    the authors have no such curve.
    """
    curves: dict[str, Points] = {}
    with (RESULTS / "paper_curves.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if (row["norm"], row["curve"]) == (norm, curve):
                curves.setdefault(row["attack"], []).append((float(row["gamma"]), float(row["accuracy"])))
    return curves


def interpolate(points: Points, gamma: float) -> float | None:
    """The value between two neighbours that were measured; None beyond the last of them."""
    for (left, low), (right, high) in pairwise(points):
        if gamma in (left, right):
            return low if gamma == left else high
        if left < gamma < right < inf:
            return low + (high - low) * (gamma - left) / (right - left)
    return None


def gamma_of(alpha: float) -> float:
    """gamma for an alpha, where R_i is 1."""
    return alpha / (1 - alpha) if alpha < 1 else inf


def alpha_of(gamma: float) -> float:
    """alpha for a gamma, where R_i is 1."""
    return gamma / (1 + gamma) if gamma < inf else 1.0


def figure_title(norm: str, suffix: str = "") -> str:
    """The title of a figure with the authors' curves."""
    return f"the authors' own, {AUTHORS_IMAGES} images{suffix}\n{AUTHORS_MODELS[norm]}"


def attacked_against_clean(norm: str, curve: str) -> Points:
    """Clean accuracy, and the smaller of the accuracies under STD and MIX, at each gamma of MIX:
    the authors' rule for their figure.
    """
    curves = load_curves(norm, curve)
    points = []
    for gamma, mix in curves.get("MIX", []):
        clean, std = interpolate(curves["clean"], gamma), interpolate(curves["STD"], gamma)
        if clean is not None:
            points.append((clean, mix if std is None else min(std, mix)))
    return points
