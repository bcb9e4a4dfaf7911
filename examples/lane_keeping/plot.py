"""Draws both runs (needs matplotlib)."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import matplotlib

from lane_keeping.plant import CLEAR, LANE, PHASES
from lane_keeping.report import Tick

matplotlib.use("Agg")
matplotlib.rcParams.update({"svg.hashsalt": "certimix", "svg.fonttype": "path", "font.size": 10})

from matplotlib import pyplot  # noqa: E402 - after the choice of the backend
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.collections import LineCollection  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402

EVERY_CLASS, CERTIFIED = "#c4321c", "#1f5fa8"
ATTACK, WORN_PAINT, ROAD = "#fae5cc", "#f3cfa6", "#555555"
MODE_COLOURS = {"certified": CERTIFIED, "hold": "#e0a800", "fallback": "#8a8a8a"}
MODE_NAMES = {
    "certified": "acts on a certified class",
    "hold": "holds its last action",
    "fallback": "fallback controller",
}
WIDTH, HEIGHT, DPI = 9.0, 5.6, 100


def draw_runs(runs: list[list[Tick]], required_radius: float, seconds: float, folder: Path) -> None:
    """Writes control_loop.png and control_loop.svg of the run on every class and of that on certified classes."""
    figure, (road, radii) = pyplot.subplots(
        2, 1, sharex=True, figsize=(WIDTH, HEIGHT), height_ratios=(3, 2), facecolor="white", layout="constrained"
    )
    draw_phases(road, seconds, names=True)
    draw_phases(radii, seconds, names=False)
    draw_road(road, runs)
    draw_radii(radii, runs[1], required_radius)
    folder.mkdir(parents=True, exist_ok=True)
    # No dates and no versions, so that the same run gives the same file.
    figure.savefig(folder / "control_loop.png", dpi=DPI, metadata={"Software": None}, pil_kwargs={"optimize": True})
    figure.savefig(folder / "control_loop.svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def draw_phases(axes: Axes, seconds: float, names: bool) -> None:
    """Colours the parts of the drive that have an attack, and names each part."""
    ends = [phase.start for phase in PHASES[1:]] + [1.0]
    for phase, end in zip(PHASES, ends):
        start, end = phase.start * seconds, end * seconds
        if phase.attack > 0:
            colour = WORN_PAINT if phase.contrast < CLEAR else ATTACK
            axes.axvspan(start, end, color=colour, lw=0, zorder=0)
        if names:
            axes.text(
                (start + end) / 2,
                1.82,
                phase.name.replace(", ", ",\n").replace("× ", "×\n"),
                ha="center",
                va="top",
                fontsize=8,
            )
    axes.set_xlim(0, seconds)


def draw_road(axes: Axes, runs: list[list[Tick]]) -> None:
    """The offset of both cars. The colour of the second one says which controller acts."""
    for edge in (-LANE, LANE):
        axes.axhline(edge, color=ROAD, lw=2, zorder=1)
    axes.text(0.15, -LANE - 0.06, "edge of the lane", va="top", fontsize=8, color=ROAD)
    every_class, certified = runs
    axes.add_collection(path(every_class, [EVERY_CLASS] * len(every_class)))
    axes.add_collection(path(certified, [MODE_COLOURS[tick.mode] for tick in certified]))
    for run, colour in ((every_class, EVERY_CLASS), (certified, CERTIFIED)):
        if abs(run[-1].offset) > LANE:
            axes.plot(run[-1].time, run[-1].offset, "X", color=colour, ms=11, mec="white", zorder=5)
    axes.set_ylabel("offset from the\nlane's centre (m)")
    axes.set_ylim(-1.9, 1.9)
    handles = [Line2D([], [], color=EVERY_CLASS, lw=2.5, label="acts on every class")]
    handles += [Line2D([], [], color=colour, lw=2.5, label=MODE_NAMES[mode]) for mode, colour in MODE_COLOURS.items()]
    axes.legend(handles=handles, loc="lower center", ncols=4, fontsize=8, frameon=False)


def path(ticks: list[Tick], colours: list[str]) -> LineCollection:
    """The offset over time. Each tick has its own colour."""
    lines, line_colours = [], []
    for colour, group in groupby(range(1, len(ticks)), key=lambda index: colours[index]):
        indices = list(group)
        lines.append([(ticks[index].time, ticks[index].offset) for index in [indices[0] - 1, *indices]])
        line_colours.append(colour)
    return LineCollection(lines, colors=line_colours, lw=2.5, capstyle="round", zorder=3)


def draw_radii(axes: Axes, certified: list[Tick], required_radius: float) -> None:
    times = [tick.time for tick in certified]
    axes.plot(times, [tick.radius for tick in certified], color=CERTIFIED, lw=1, label="certified radius")
    axes.plot(times, [tick.distance for tick in certified], color="black", lw=1, label="noise and attack on the image")
    axes.axhline(required_radius, color=ROAD, ls="--", lw=1.2, label=f"required radius, {required_radius:.2f}")
    axes.set_ylabel("l2 norm")
    axes.set_xlabel("seconds")
    axes.set_ylim(0, 3.3)
    axes.legend(loc="upper left", ncols=3, fontsize=8, frameon=False)
