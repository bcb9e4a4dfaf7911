#!/usr/bin/env python3
"""docs/results/certified.csv and certified.png from the committed votes, docs/results/votes_*.csv.

    .cache/venv/bin/python models/evaluate/paper/certified_figure.py [FOLDER]

Between the radii that votes were drawn for the curve is a little lower than more votes would make it.
A model is certified at r on an image if its class is the label and sigma Phi^-1(lower bound of the class's probability) is at least r
(for r = 0: above 0). The bound is the anytime bound, which the server's `certimix radius` computes from the same counts.
"""

import sys
from pathlib import Path

import accuracy
import figures
import numpy as np
import votes
from bounds import anytime_lower
from stopping import radius
from training import tables

REPOSITORY = Path(__file__).resolve().parents[3]
RADII = (0.0, 0.25, 0.5, 0.75)
COHEN = "Cohen et al. 2019, ResNet-110"
# At the positive radii: github.com/locuslab/smoothing, analysis/markdown/vary_noise_cifar10. At 0: the table of
# github.com/RuntianZ/macer, which certified the same published networks. 500 images, 100,000 votes each, failure probability 0.001.
PUBLISHED = {0.25: (0.75, 0.60, 0.43, 0.27), 0.5: (0.65, 0.55, 0.41, 0.32)}
COHEN_IMAGES = 500
COLUMNS = ["classifier", "sigma", "radius", "images", "certified", "share", "low_95", "high_95", "votes_per_image"]


def make(folder: Path) -> None:
    """Does nothing where there are no votes yet."""
    files = sorted(folder.glob("votes_*.csv"))
    if not files:
        return
    loaded = [votes.read(path) for path in files]
    curves = [(origin, radii_of(origin, rows)) for origin, rows in loaded]
    table = []
    for (origin, radii), (_, rows) in zip(curves, loaded, strict=True):
        mean = sum(sum(row.counts) for row in rows) / len(rows)
        for at in goals(origin):
            held = int(holds(radii, at).sum())
            shares = (f"{value:.4f}" for value in (held / len(radii), *accuracy.interval(held, len(radii))))
            table.append(dict(zip(COLUMNS, [origin["model"], origin["sigma"], at, len(radii), held, *shares, f"{mean:.0f}"], strict=True)))
    for sigma, shares in PUBLISHED.items():
        for at, share in zip(RADII, shares, strict=True):
            table.append(dict(zip(COLUMNS, [COHEN, sigma, at, COHEN_IMAGES, "", share, "", "", 100_100], strict=True)))
    tables.write(folder / "certified.csv", table, *map(tables.identity, files))
    print_table(folder / "certified.csv")
    plot(folder / "certified.png", curves)


def radii_of(origin: dict[str, str], rows: list[votes.Row]) -> np.ndarray:
    """Of each image; -1 where the class is wrong or nothing is certified."""
    sigma, failure = float(origin["sigma"]), float(origin["failure_probability"])
    certified = [radius(sigma, anytime_lower(row.votes_for_class, row.votes, failure)) for row in rows]
    return np.array([r if r > 0 and row.selected == row.label else -1.0 for r, row in zip(certified, rows, strict=True)])


def goals(origin: dict[str, str]) -> list[float]:
    """Of the radii of the table, those that votes were drawn for."""
    last = max(map(float, origin["radii"].split(",")))
    return [at for at in RADII if at <= last]


def holds(radii: np.ndarray, at: float) -> np.ndarray:
    return radii >= at


def print_table(path: Path) -> None:
    for line in tables.read(path):
        interval = f"({line['low_95']:.1%} to {line['high_95']:.1%})" if line["low_95"] != "" else "(published)"
        print(f"  {line['classifier']:<30} sigma {line['sigma']:<5} r {line['radius']:<5} {line['share']:6.1%} {interval}")


def plot(path: Path, curves: list[tuple[dict[str, str], np.ndarray]]) -> None:
    figure, axes = figures.new(width=7)
    colours = {0.25: "tab:blue", 0.5: "tab:orange"}
    styles = ["-", "--", ":", "-."]
    used: dict[float, int] = {}
    for origin, radii in curves:
        sigma = float(origin["sigma"])
        grid = np.linspace(0, goals(origin)[-1], 301)
        shares = [100 * holds(radii, at).mean() for at in grid]
        style = styles[used.get(sigma, 0) % len(styles)]
        used[sigma] = used.get(sigma, 0) + 1
        colour = colours.get(sigma, "tab:green")
        axes.plot(grid, shares, style, color=colour, label=f"{origin['model']} (sigma {sigma:g})")
        drawn_for = [float(at) for at in origin["radii"].split(",")]
        axes.plot(drawn_for, [100 * holds(radii, at).mean() for at in drawn_for], "|", color=colour, markersize=9)
    for sigma, shares in PUBLISHED.items():
        axes.plot(RADII, 100 * np.array(shares), "o", mfc="none", color=colours[sigma], label=f"{COHEN} (sigma {sigma:g})")
    axes.set(xlabel="l2 radius (pixels in [0, 1])", ylabel="certified accuracy (% of the test images)", ylim=(0, 100), xlim=(-0.01, 0.76))
    axes.set_title("votes were drawn to prove the radii marked |; between them more votes would raise a curve", fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figures.save(figure, path)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs" / "results")
