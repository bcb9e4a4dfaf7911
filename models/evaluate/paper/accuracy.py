"""Accuracies with exact (Clopper-Pearson) 95 % intervals, and the small CSV files that hold them."""

import csv
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

CONFIDENCE = 0.95


def interval(correct: int, count: int) -> tuple[float, float]:
    """The exact 95 % interval of a share."""
    found = binomtest(correct, count).proportion_ci(CONFIDENCE, method="exact")
    return found.low, found.high


def row(hits: np.ndarray) -> dict:
    """Columns of a table, from one boolean an image; accuracies in per cent."""
    correct, images = int(hits.sum()), len(hits)
    low, high = interval(correct, images)
    share = {"accuracy": correct / images, "low": low, "high": high}
    return {"images": images, "correct": correct} | {name: f"{100 * value:.2f}" for name, value in share.items()}


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[dict]:
    """Numbers become numbers."""
    with path.open(newline="") as file:
        return [{name: _number(value) for name, value in line.items()} for line in csv.DictReader(file)]


def _number(text: str):
    try:
        return float(text)
    except ValueError:
        return text
