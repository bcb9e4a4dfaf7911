#!/usr/bin/env python3
"""docs/results/fig3.png from the committed fig3.csv, one panel for each level of clean accuracy, and one for the paper's own comparison; the
settings are in the table.

    .cache/venv/bin/python models/evaluate/paper/fig3_plot.py [FOLDER]
"""

import math
import sys
from itertools import groupby
from pathlib import Path

import accuracy
import figures
from figures import pyplot
from training import tables

REPOSITORY = Path(__file__).resolve().parents[3]
COLOURS = ["tab:blue", "tab:red", "tab:green"]
STYLES = {"tight": "-", "logit space": "-", "Theorem 2": "--", "Theorem 1": ":", "alone": "-."}
COMPARED = 0.14  # about 36/255


def make(folder: Path) -> None:
    lines = tables.read(folder / "fig3.csv")
    curves = [list(group) for _, group in groupby(lines, key=lambda line: (line["level"], line["robust"], line["certificate"]))]
    for curve in curves:
        describe(curve)
    families = list(dict.fromkeys(curve[0]["robust"] for curve in curves))
    narrow, _, wider = families  # the last is smoothed with more noise, and in the paper's comparison only
    grid = sorted({line["radius"] for line in lines})
    colours = dict(zip(families, COLOURS))
    levels = sorted({curve[0]["level"] for curve in curves if curve[0]["robust"] != wider} - {0}, reverse=True)
    height = math.ceil((len(levels) + 2) / 3)  # a panel a level, one for the paper's comparison, one for the legend
    figure, axes = pyplot.subplots(height, 3, figsize=(12, 3.5 * height), sharex=True, sharey=True, layout="constrained", squeeze=False)
    panels = iter(axes.flat)
    for level in levels:
        chosen = [curve for curve in curves if curve[0]["robust"] != wider and curve[0]["level"] in (0, level)]
        fill(next(panels), chosen, grid, colours, "mixtures")
    alone = [curve for curve in curves if curve[0]["robust"] == narrow and curve[0]["level"] == 0]
    mixed = [curve for curve in curves if curve[0]["robust"] == wider and curve[0]["level"] != 0]
    fill(next(panels), alone + mixed, grid, colours, "the paper's comparison")
    spare = list(panels)
    for panel in spare:
        panel.set_axis_off()
    for panel in axes.flat:
        panel.set(xlabel="l2 radius (pixels in [0, 1])", ylabel="certified accuracy (%)")
        panel.label_outer()
    axes[0, 0].set(ylim=(0, 80), xlim=(0, grid[-1]))
    handles = {handle.get_label(): handle for panel in axes.flat for handle in panel.lines}
    spare[0].legend(handles=list(handles.values()), loc="center", fontsize=8)
    figures.save(figure, folder / "fig3.png")


def fill(panel, curves: list[list[dict]], grid: list[float], colours: dict[str, str], words: str) -> None:
    """Draws them, under a title that says the clean accuracy of each mixture."""
    clean: dict[str, list[float]] = {}
    for curve in curves:
        draw(panel, curve, grid, colours)
        if curve[0]["level"]:
            clean.setdefault(curve[0]["robust"], []).append(100 * curve[0]["clean_accuracy"])
    spans = [f"{robust.partition(',')[0]} {span(found)} %" for robust, found in clean.items()]
    panel.set_title(f"{words}; clean accuracy\n{', '.join(spans)}", fontsize=9)
    panel.grid(alpha=0.3)


def span(found: list[float]) -> str:
    low, high = f"{min(found):.1f}", f"{max(found):.1f}"
    return low if low == high else f"{low} to {high}"


def draw(panel, curve: list[dict], grid: list[float], colours: dict[str, str]) -> None:
    """With a gap where votes were drawn for no more and some would have certified."""
    first = curve[0]
    label = f"{first['robust']} ({first['images']:g} images): {first['certificate']}"
    if first["certificate"] == "alone":
        label += f", {first['clean_accuracy']:.1%} clean"
    known = {line["radius"]: 100 * line["certified"] / line["images"] for line in curve}
    shares = [known.get(at, math.nan) for at in grid]
    panel.plot(grid, shares, STYLES[first["certificate"]], color=colours[first["robust"]], label=label, lw=1.4)


def describe(curve: list[dict]) -> None:
    first = curve[0]
    line = min(curve, key=lambda line: abs(line["radius"] - COMPARED))
    held, count = int(line["certified"]), int(line["images"])
    low, high = accuracy.interval(held, count)
    name = f"{first['robust']}, {first['certificate']}"
    if first["level"]:
        name += f" at {first['level']:.0%} (alpha {first['alpha']:g}, T {first['robust_temperature']:g})"
    print(f"  {name:<62} clean {first['clean_accuracy']:6.1%}, certified at {line['radius']:g}: {held / count:6.1%} ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs" / "results")
