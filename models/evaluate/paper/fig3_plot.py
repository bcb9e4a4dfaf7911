#!/usr/bin/env python3
"""docs/results/fig3.png from the committed fig3.csv, one panel for each level of clean accuracy; the settings are in the table.

    .cache/venv/bin/python models/evaluate/paper/fig3_plot.py [FOLDER]
"""

import csv
import sys
from itertools import groupby
from pathlib import Path

import accuracy
import figures
from figures import pyplot

REPOSITORY = Path(__file__).resolve().parents[3]
STYLES = {"tight": "-", "logit space": "-", "Theorem 2": "--", "Theorem 1": ":", "alone": "-."}
COMPARED = 0.14  # about 36/255


def make(folder: Path) -> None:
    with (folder / "fig3.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    curves = [list(group) for _, group in groupby(lines, key=lambda line: (line["level"], line["robust"], line["certificate"]))]
    if not curves:
        return
    alone = [curve for curve in curves if float(curve[0]["level"]) == 0]
    levels = sorted({float(curve[0]["level"]) for curve in curves} - {0.0}, reverse=True)
    for curve in curves:
        describe(curve)
    figure, axes = pyplot.subplots(2, 2, figsize=(9, 6.4), sharex=True, sharey=True, layout="constrained")
    for panel, level in zip(axes.flat, levels):
        for curve in alone + [curve for curve in curves if float(curve[0]["level"]) == level]:
            draw(panel, curve)
        panel.set_title(f"mixtures of {level:.0%} clean accuracy", fontsize=10)
        panel.grid(alpha=0.3)
    for panel in axes[-1]:
        panel.set_xlabel("l2 radius (pixels in [0, 1])")
    for panel in axes[:, 0]:
        panel.set_ylabel("certified accuracy (%)")
    for panel in list(axes.flat)[len(levels) :]:
        panel.set_axis_off()
    axes[0, 0].set(ylim=(0, 80), xlim=(0, 0.75))
    handles = {handle.get_label(): handle for panel in axes.flat for handle in panel.lines}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=4, fontsize=7, columnspacing=1.2)
    figures.save(figure, folder / "fig3.png")


def draw(panel, curve: list[dict[str, str]]) -> None:
    first = curve[0]
    label = f"{first['robust']}: {first['certificate']}"
    shares = [100 * int(line["certified"]) / int(line["images"]) for line in curve]
    colour = "tab:red" if first["robust"] == "Lipschitz" else "tab:blue"
    panel.plot([float(line["radius"]) for line in curve], shares, STYLES[first["certificate"]], color=colour, label=label, lw=1.4)


def describe(curve: list[dict[str, str]]) -> None:
    first = curve[0]
    line = min(curve, key=lambda line: abs(float(line["radius"]) - COMPARED))
    held, count = int(line["certified"]), int(line["images"])
    low, high = accuracy.interval(held, count)
    name = f"{first['robust']}, {first['certificate']}"
    if float(first["level"]):
        name += f" at {float(first['level']):.0%} (alpha {first['alpha']}, T {first['robust_temperature']})"
    print(f"  {name:<62} clean {float(first['clean_accuracy']):6.1%}, certified at {line['radius']}: {held / count:6.1%} ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs" / "results")
