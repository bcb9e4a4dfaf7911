"""Certified accuracy of smoothed models, from the votes that were drawn, with its table and figure.

A model is certified at r on an image if its class is the label and sigma Phi^-1(lower bound of the
class's probability) is at least r (for r = 0: above 0). The bound is the anytime bound, which the
server's `certimix radius` computes from the same counts. Between the radii for which votes were
drawn, more votes would raise the curve a little.
"""

import argparse
from pathlib import Path

import numpy as np

from certimix_models import result_tables
from certimix_models.evaluate import plotting
from certimix_models.evaluate.mathematics.accuracy_interval import clopper_pearson_interval
from certimix_models.evaluate.mathematics.confidence_bounds import anytime_lower_bound
from certimix_models.evaluate.smoothed_votes import vote_records
from certimix_models.evaluate.smoothed_votes.stopping_rule import smoothed_radius

RADII = (0.0, 0.25, 0.5, 0.75)
COHEN = "Cohen et al. 2019, ResNet-110"
# At the positive radii: github.com/locuslab/smoothing, analysis/markdown/vary_noise_cifar10. At 0:
# the table of github.com/RuntianZ/macer, which certified the same published networks. 500 images,
# 100,000 votes each, failure probability 0.001.
PUBLISHED_ACCURACY = {0.25: (0.75, 0.60, 0.43, 0.27), 0.5: (0.65, 0.55, 0.41, 0.32)}
COHEN_IMAGES = 500
COLUMNS = ["classifier", "sigma", "radius", "images", "certified", "share", "low_95", "high_95", "votes_per_image"]


def run(options: argparse.Namespace) -> None:
    write_table_and_figure(options.results)


def write_table_and_figure(folder: Path) -> None:
    """Does nothing if there are no votes yet."""
    files = sorted(folder.glob("votes_*.csv"))
    if not files:
        return
    loaded = [vote_records.read_votes(path) for path in files]
    curves = [(settings, certified_radii(settings, rows)) for settings, rows in loaded]
    table = []
    for (settings, radii), (_, rows) in zip(curves, loaded, strict=True):
        mean = sum(sum(row.counts) for row in rows) / len(rows)
        for at in table_radii(settings):
            certified_count = int(is_certified_at(radii, at).sum())
            shares = (
                f"{value:.4f}"
                for value in (certified_count / len(radii), *clopper_pearson_interval(certified_count, len(radii)))
            )
            table.append(
                dict(
                    zip(
                        COLUMNS,
                        [settings["model"], settings["sigma"], at, len(radii), certified_count, *shares, f"{mean:.0f}"],
                        strict=True,
                    )
                )
            )
    for sigma, shares in PUBLISHED_ACCURACY.items():
        for at, share in zip(RADII, shares, strict=True):
            table.append(dict(zip(COLUMNS, [COHEN, sigma, at, COHEN_IMAGES, "", share, "", "", 100_100], strict=True)))
    result_tables.write(folder / "certified.csv", table, *map(result_tables.file_identity, files))
    print_table(folder / "certified.csv")
    plot(folder / "certified.png", curves)


def certified_radii(settings: dict[str, str], rows: list[vote_records.VoteRecord]) -> np.ndarray:
    """The radius of each image; -1 where the class is wrong or nothing is certified."""
    sigma, failure = float(settings["sigma"]), float(settings["failure_probability"])
    certified = [smoothed_radius(sigma, anytime_lower_bound(row.votes_for_class, row.votes, failure)) for row in rows]
    return np.array(
        [r if r > 0 and row.selected == row.label else -1.0 for r, row in zip(certified, rows, strict=True)]
    )


def table_radii(settings: dict[str, str]) -> list[float]:
    """The radii of the table for which votes were drawn."""
    last = max(map(float, settings["radii"].split(",")))
    return [at for at in RADII if at <= last]


def is_certified_at(radii: np.ndarray, at: float) -> np.ndarray:
    return radii >= at


def print_table(path: Path) -> None:
    for line in result_tables.read(path):
        interval = f"({line['low_95']:.1%} to {line['high_95']:.1%})" if line["low_95"] != "" else "(published)"
        print(
            f"  {line['classifier']:<30} sigma {line['sigma']:<5} r {line['radius']:<5} {line['share']:6.1%} {interval}"
        )


def plot(path: Path, curves: list[tuple[dict[str, str], np.ndarray]]) -> None:
    figure, axes = plotting.single_panel(width=7)
    colours = {0.25: "tab:blue", 0.5: "tab:orange"}
    styles = ["-", "--", ":", "-."]
    styles_used: dict[float, int] = {}
    for settings, radii in curves:
        sigma = float(settings["sigma"])
        grid = np.linspace(0, table_radii(settings)[-1], 301)
        shares = [100 * is_certified_at(radii, at).mean() for at in grid]
        style = styles[styles_used.get(sigma, 0) % len(styles)]
        styles_used[sigma] = styles_used.get(sigma, 0) + 1
        colour = colours.get(sigma, "tab:green")
        axes.plot(grid, shares, style, color=colour, label=f"{settings['model']} (sigma {sigma:g})")
        drawn_for = [float(at) for at in settings["radii"].split(",")]
        axes.plot(
            drawn_for, [100 * is_certified_at(radii, at).mean() for at in drawn_for], "|", color=colour, markersize=9
        )
    for sigma, shares in PUBLISHED_ACCURACY.items():
        axes.plot(
            RADII, 100 * np.array(shares), "o", mfc="none", color=colours[sigma], label=f"{COHEN} (sigma {sigma:g})"
        )
    axes.set(
        xlabel="l2 radius (pixels in [0, 1])",
        ylabel="certified accuracy (% of the test images)",
        ylim=(0, 100),
        xlim=(-0.01, 0.76),
    )
    axes.set_title(
        "votes were drawn to prove the radii marked |; between them more votes would raise a curve", fontsize=9
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    plotting.save_figure(figure, path)
