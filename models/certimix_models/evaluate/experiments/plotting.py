"""How the figures look: one size, colours that the colour-blind can tell apart, a band for the 95 % interval, and small
files.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend is chosen first)

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#555555", "#e69f00", "#56b4e9"]
DPI = 120


def new(width: float = 6.2):
    return pyplot.subplots(figsize=(width, 4.4), layout="constrained")


def two(width: float = 11, same_axes: bool = True):
    """Ours on the left, the authors' own on the right."""
    return pyplot.subplots(1, 2, figsize=(width, 4.4), layout="constrained", sharex=same_axes, sharey=same_axes)


def curve(axes, rows: list[dict], x: str, label: str, colour: str, dashed: bool = False) -> None:
    rows = sorted(rows, key=lambda row: row[x])
    places = [row[x] for row in rows]
    style = "--" if dashed else "-"
    axes.plot(
        places,
        [row["accuracy"] for row in rows],
        style,
        color=colour,
        label=label,
        marker=".",
        markersize=4,
        linewidth=1.4,
    )
    axes.fill_between(
        places, [row["low"] for row in rows], [row["high"] for row in rows], color=colour, alpha=0.12, linewidth=0
    )
    axes.grid(alpha=0.3)


def threat(row: dict, attack: str) -> str:
    """The title's words for what a row is about."""
    norm = {"linf": "l-infinity", "l2": "l2"}[row["norm"]]
    epsilon = f"{row['epsilon'] * 255:.3g}/255" if row["norm"] == "linf" else f"{row['epsilon']:g}"
    h = row["robust"] + (f" (T = {row['temperature']:g})" if row["temperature"] != 1 else "")
    return f"{attack}, {norm}, radius {epsilon} (pixels in [0, 1])\ng: {row['standard']}, h: {h}"


def save(figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # No date or version goes into the file: the same numbers give the same bytes.
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    pyplot.close(figure)
