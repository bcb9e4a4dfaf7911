"""The authors' own curves over gamma, docs/results/paper_curves.csv, as their public notebook prints them (paper_numbers.csv).

alpha is gamma / (1 + gamma) where R_i is 1. At gamma 0 and without end stand the accuracies of g and h. Between the gammas that they
measured the straight line is taken, as in their own figures. Python's own library is all it needs: the tables of the documents use it.
"""

import csv
from itertools import pairwise
from math import inf
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "results"
MODELS = {"linf": "g: ConvNeXt-T, h: WideResNet-34 (TRADES)", "l2": "g: ResNet-18, h: ResNet-18 (adversarially trained)"}
IMAGES = 2000

Points = list[tuple[float, float]]


def load(norm: str, curve: str = "one-probabilities") -> dict[str, Points]:
    """Of each attack that was measured: gamma and the accuracy in per cent, gamma rising. Empty if the authors have no such curve."""
    found: dict[str, Points] = {}
    with (FOLDER / "paper_curves.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if (row["norm"], row["curve"]) == (norm, curve):
                found.setdefault(row["attack"], []).append((float(row["gamma"]), float(row["accuracy"])))
    return found


def at(points: Points, gamma: float) -> float | None:
    """Between two neighbours that were measured; nothing beyond the last of them."""
    for (left, low), (right, high) in pairwise(points):
        if gamma in (left, right):
            return low if gamma == left else high
        if left < gamma < right < inf:
            return low + (high - low) * (gamma - left) / (right - left)
    return None


def gamma_of(alpha: float) -> float:
    return alpha / (1 - alpha) if alpha < 1 else inf


def alpha_of(gamma: float) -> float:
    return gamma / (1 + gamma) if gamma < inf else 1.0


def title(norm: str, more: str = "") -> str:
    """Of a figure of theirs."""
    return f"the authors' own, {IMAGES} images{more}\n{MODELS[norm]}"


def attacked_against_clean(norm: str, curve: str) -> Points:
    """Clean accuracy, and the smaller of those under STD and MIX, at each gamma of MIX: the authors' rule for their figure."""
    measured = load(norm, curve)
    points = []
    for gamma, mix in measured.get("MIX", []):
        clean, std = at(measured["clean"], gamma), at(measured["STD"], gamma)
        if clean is not None:
            points.append((clean, mix if std is None else min(std, mix)))
    return points
