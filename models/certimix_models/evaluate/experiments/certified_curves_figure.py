"""docs/results/fig3.png from fig3.csv: one panel for each level of clean accuracy, and one for the
paper's own comparison. The table holds the settings.
"""

import math
from itertools import groupby
from pathlib import Path

from certimix_models import result_tables
from certimix_models.evaluate import plotting
from certimix_models.evaluate.mathematics.accuracy_interval import clopper_pearson_interval
from certimix_models.evaluate.plotting import pyplot

COLOURS = ["tab:blue", "tab:red", "tab:green"]
STYLES = {"tight": "-", "logit space": "-", "Theorem 2": "--", "Theorem 1": ":", "alone": "-."}
COMPARED_RADIUS = 0.14  # about 36/255


def draw_figure(folder: Path) -> None:
    """Draws the figure from the table in this folder."""
    rows = result_tables.read(folder / "fig3.csv")
    curves = [
        list(group)
        for _, group in groupby(
            rows, key=lambda row: tuple(row[name] for name in ("level", "robust", "certificate", "rule"))
        )
    ]
    for curve in curves:
        print_curve(curve)
    families = list(dict.fromkeys(curve[0]["robust"] for curve in curves))
    # the last is smoothed with more noise, and appears in the paper's comparison only
    smaller_sigma, _, larger_sigma = families
    radii = sorted({row["radius"] for row in rows})
    colours = dict(zip(families, COLOURS))
    levels = sorted({curve[0]["level"] for curve in curves if curve[0]["robust"] != larger_sigma} - {0}, reverse=True)
    # a panel for each level, one for the paper's comparison, one for the legend
    height = math.ceil((len(levels) + 2) / 3)
    figure, axes = pyplot.subplots(
        height, 3, figsize=(12, 3.5 * height), sharex=True, sharey=True, layout="constrained", squeeze=False
    )
    panels = iter(axes.flat)
    for level in levels:
        panel_curves = [
            curve for curve in curves if curve[0]["robust"] != larger_sigma and curve[0]["level"] in (0, level)
        ]
        draw_panel(next(panels), panel_curves, radii, colours, "mixtures")
    robust_alone = [curve for curve in curves if curve[0]["robust"] == smaller_sigma and curve[0]["level"] == 0]
    mixed = [curve for curve in curves if curve[0]["robust"] == larger_sigma and curve[0]["level"] != 0]
    draw_panel(next(panels), robust_alone + mixed, radii, colours, "the paper's comparison")
    empty_panels = list(panels)
    for panel in empty_panels:
        panel.set_axis_off()
    for panel in axes.flat:
        panel.set(xlabel="l2 radius (pixels in [0, 1])", ylabel="certified accuracy (%)")
        panel.label_outer()
    axes[0, 0].set(ylim=(0, 80), xlim=(0, radii[-1]))
    handles = {handle.get_label(): handle for panel in axes.flat for handle in panel.lines}
    empty_panels[0].legend(handles=list(handles.values()), loc="center", fontsize=8)
    plotting.save_figure(figure, folder / "fig3.png")


def draw_panel(panel, curves: list[list[dict]], radii: list[float], colours: dict[str, str], title: str) -> None:
    """Draws the curves, under a title with the clean accuracy of each mixture."""
    clean: dict[str, list[float]] = {}
    for curve in curves:
        draw_curve(panel, curve, radii, colours)
        if curve[0]["level"]:
            clean.setdefault(curve[0]["robust"], []).append(100 * curve[0]["clean_accuracy"])
    ranges = [f"{robust.partition(',')[0]} {format_range(accuracies)} %" for robust, accuracies in clean.items()]
    panel.set_title(f"{title}; clean accuracy\n{', '.join(ranges)}", fontsize=9)
    panel.grid(alpha=0.3)


def format_range(accuracies: list[float]) -> str:
    low, high = f"{min(accuracies):.1f}", f"{max(accuracies):.1f}"
    return low if low == high else f"{low} to {high}"


def draw_curve(panel, curve: list[dict], radii: list[float], colours: dict[str, str]) -> None:
    """Draws a curve, with a gap where no votes were drawn for a radius that some votes might have
    certified.
    """
    first = curve[0]
    label = f"{first['robust']} ({first['images']:g} images): {first['certificate']}"
    if first["certificate"] == "alone":
        label += f", {first['clean_accuracy']:.1%} clean"
    known = {row["radius"]: 100 * row["certified"] / row["images"] for row in curve}
    shares = [known.get(radius, math.nan) for radius in radii]
    is_gated = first["rule"] == "gated"
    panel.plot(
        radii,
        shares,
        STYLES[first["certificate"]],
        color=colours[first["robust"]],
        label=label + ", gated" * is_gated,
        linewidth=2.8 if is_gated else 1.1,
        alpha=0.55 if is_gated else 1,
    )


def print_curve(curve: list[dict]) -> None:
    """Prints the certified accuracy at the compared radius."""
    first = curve[0]
    row = min(curve, key=lambda row: abs(row["radius"] - COMPARED_RADIUS))
    certified_count, count = int(row["certified"]), int(row["images"])
    low, high = clopper_pearson_interval(certified_count, count)
    name = f"{first['robust']}, {first['certificate']}" + ", gated" * (first["rule"] == "gated")
    if first["level"]:
        name += f" at {first['level']:.0%} (alpha {first['alpha']:g}, T {first['robust_temperature']:g})"
    print(
        f"  {name:<62} clean {first['clean_accuracy']:6.1%}, certified at {row['radius']:g}: {certified_count / count:6.1%} ({low:.1%} to {high:.1%})"
    )
