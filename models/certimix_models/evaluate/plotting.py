"""The style of the figures: one size, colours that the colour-blind can distinguish, a band for the
95 % interval, and small files.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend must be chosen first)

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#555555", "#e69f00", "#56b4e9"]
DPI = 120


def single_panel(width: float = 6.2):
    """A figure with one panel."""
    return pyplot.subplots(figsize=(width, 4.4), layout="constrained")


def two_panels(width: float = 11, same_axes: bool = True):
    """Our curves on the left, the authors' own on the right."""
    return pyplot.subplots(1, 2, figsize=(width, 4.4), layout="constrained", sharex=same_axes, sharey=same_axes)


def plot_accuracy_curve(axes, rows: list[dict], x: str, label: str, colour: str, dashed: bool = False) -> None:
    """Plots accuracy against the column `x`, with its interval."""
    rows = sorted(rows, key=lambda row: row[x])
    positions = [row[x] for row in rows]
    style = "--" if dashed else "-"
    axes.plot(
        positions,
        [row["accuracy"] for row in rows],
        style,
        color=colour,
        label=label,
        marker=".",
        markersize=4,
        linewidth=1.4,
    )
    axes.fill_between(
        positions, [row["low"] for row in rows], [row["high"] for row in rows], color=colour, alpha=0.12, linewidth=0
    )
    axes.grid(alpha=0.3)


def attack_title(row: dict, attack: str) -> str:
    """The title of a figure: the attack, its norm and radius, and the models."""
    norm = {"linf": "l-infinity", "l2": "l2"}[row["norm"]]
    epsilon = f"{row['epsilon'] * 255:.3g}/255" if row["norm"] == "linf" else f"{row['epsilon']:g}"
    h = row["robust"] + (f" (T = {row['temperature']:g})" if row["temperature"] != 1 else "")
    return f"{attack}, {norm}, radius {epsilon} (pixels in [0, 1])\ng: {row['standard']}, h: {h}"


def save_figure(figure, path: Path) -> None:
    """Writes the figure as a PNG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The file holds no date or version: the same numbers give the same bytes.
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    pyplot.close(figure)
