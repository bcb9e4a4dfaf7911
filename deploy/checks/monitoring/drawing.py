"""Draws the dashboard from the results of its queries. The picture shows the data and the layout; it is not Grafana."""

from __future__ import annotations

import io
import itertools
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from PIL import Image

from . import queries
from .prometheus_api import Prometheus

INCHES_A_COLUMN = 0.62
INCHES_A_ROW = 0.3
COLUMNS = 24
COLOURS = ["#3274d9", "#e0752d", "#56a64b", "#8f3bb8", "#e02f44", "#b7950b", "#19a2a8", "#7a6f5d", "#c15c9c", "#5d6d7e"]
GRAFANA_COLOURS = {"green": COLOURS[2], "yellow": "#ecbb13", "orange": COLOURS[1], "dark-orange": "#a8480c", "red": COLOURS[4], "dark-red": "#96111f", "purple": COLOURS[3]}
LONGEST_LEGEND = 8

Series = list[tuple[dict[str, str], list[tuple[float, float]]]]


def draw(prometheus: Prometheus, seconds: int, path: Path) -> None:
    """Draws every panel at its place, over the last `seconds`, into a PNG file."""
    mpl.use("Agg")
    plt.rcParams.update({"font.size": 6.5, "axes.titlesize": 7.5, "axes.titleweight": "bold", "axes.titlelocation": "left"})
    board = queries.dashboard()
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    figure = plt.figure(figsize=(COLUMNS * INCHES_A_COLUMN, rows * INCHES_A_ROW), dpi=80)
    marks = _marks(prometheus, board, seconds)
    for panel in board["panels"]:
        print(f"drawing {panel['title']} ...", flush=True)
        place = panel["gridPos"]
        left, bottom = place["x"] / COLUMNS, 1 - (place["y"] + place["h"]) / rows
        width, height = place["w"] / COLUMNS, place["h"] / rows
        if panel["type"] == "row":
            figure.text(0.004, bottom + height / 2, panel["title"], fontsize=10, weight="bold", va="center")
            continue
        above = 1.1 / rows
        below = (1.7 if panel["type"] in ("timeseries", "heatmap") else 0.3) / rows
        side = 0.035 if panel["type"] in ("timeseries", "heatmap") else 0.006
        axes = figure.add_axes((left + side, bottom + below, width - side - 0.008, height - above - below))
        axes.set_title(panel["title"])
        _draw_panel(axes, prometheus, panel, seconds, marks)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=80)
    # A palette makes the file a third as large.
    Image.open(drawn).convert("RGB").quantize(64).save(path, optimize=True)
    print(f"wrote {path} ({path.stat().st_size / 1000:.0f} kB)")


def _draw_panel(axes: Axes, prometheus: Prometheus, panel: dict[str, Any], seconds: int, marks: list[tuple[float, str]]) -> None:
    unit = panel["fieldConfig"]["defaults"].get("unit", "none")
    if panel["type"] == "table":
        _draw_table(axes, prometheus, panel, seconds)
        return
    found: list[tuple[str, dict[str, str], list[tuple[float, float]]]] = []
    for target in panel["targets"]:
        series: Series = prometheus.over(queries.filled_in(target["expr"], seconds), seconds)
        found += [(legend(target["legendFormat"], labels), labels, values) for labels, values in series]
    if not found:
        axes.axis("off")
        axes.text(0.5, 0.5, "no data", ha="center", color="#888888", transform=axes.transAxes)
        return
    if panel["type"] == "stat":
        axes.axis("off")
        values = found[0][2]
        axes.text(0.5, 0.35, shown(values[-1][1], unit), fontsize=17, ha="center", va="center", color=COLOURS[0], transform=axes.transAxes)
        return
    ends = [at for _, _, values in found for at, _ in values]
    start, end = min(ends), max(ends)
    if panel["type"] == "heatmap":
        _draw_heatmap(axes, found, panel["options"]["yAxis"]["unit"])
    else:
        _draw_lines(axes, found, panel["fieldConfig"])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: shown(value, unit)))
        top = panel["fieldConfig"]["defaults"].get("max")
        axes.set_ylim(0.0, top * 1.04 if top else axes.get_ylim()[1])
        for at, colour in marks:
            if start <= at <= end:
                axes.axvline(at, color=colour, linewidth=0.8, linestyle="--")
    axes.set_xlim(start, end)
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _position: datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")))
    axes.tick_params(length=2, pad=1)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_lines(axes: Axes, found: list[tuple[str, dict[str, str], list[tuple[float, float]]]], config: dict[str, Any]) -> None:
    fixed = {one["matcher"]["options"]: one["properties"][0]["value"]["fixedColor"] for one in config["overrides"]}
    others = itertools.cycle(COLOURS)
    colours = [GRAFANA_COLOURS.get(fixed[name], fixed[name]) if name in fixed else next(others) for name, _, _ in found]
    stacked = config["defaults"]["custom"]["stacking"]["mode"] != "none"
    # Series that stay at 0 say nothing in the legend.
    alive = [index for index, (_, _, values) in enumerate(found) if any(value != 0 for _, value in values)]
    if stacked:
        times = sorted({at for _, _, values in found for at, _ in values})
        heights = [[dict(values).get(at, 0.0) for at in times] for _, _, values in found]
        axes.stackplot(times, heights, colors=colours, alpha=0.7, linewidth=0)
    else:
        for (_, _, values), colour in zip(found, colours, strict=True):
            axes.plot([at for at, _ in values], [value for _, value in values], color=colour, linewidth=1)
    chosen = (alive or list(range(len(found))))[:LONGEST_LEGEND]
    handles = [mpl.lines.Line2D([], [], color=colours[index], label=found[index][0]) for index in chosen]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(-0.02, -0.1), ncols=4, frameon=False, fontsize=5.5, handlelength=1, columnspacing=1)


def _draw_heatmap(axes: Axes, found: list[tuple[str, dict[str, str], list[tuple[float, float]]]], unit: str) -> None:
    """Draws the counts between the bounds of a histogram, whose buckets are cumulative."""
    found = sorted(found, key=lambda one: float(one[1]["le"]))
    times = sorted({at for _, _, values in found for at, _ in values})
    counts = [[dict(values).get(at, 0.0) for at in times] for _, _, values in found]
    cells = [counts[0]] + [[max(0.0, b - a) for a, b in zip(lower, upper, strict=True)] for lower, upper in zip(counts, counts[1:], strict=False)]
    used = [index for index, row in enumerate(cells) if max(row) > 0]
    first, last = min(used), max(used)
    bounds = [labels["le"] for _, labels, _ in found][first : last + 1]
    axes.pcolormesh(times, range(len(bounds)), cells[first : last + 1], cmap="Blues", shading="nearest")
    axes.set_yticks(range(len(bounds)), [bound if bound == "+Inf" else shown(float(bound), unit) for bound in bounds])


def _draw_table(axes: Axes, prometheus: Prometheus, panel: dict[str, Any], seconds: int) -> None:
    """Joins the results by their labels, as the panel's transformations do."""
    axes.axis("off")
    joins = any(one["id"] == "joinByField" for one in panel["transformations"])
    rows: dict[tuple[Any, ...], dict[str, str]] = {}
    columns: list[str] = []
    for target in panel["targets"]:
        for labels, value in prometheus.instant(queries.filled_in(target["expr"], seconds)):
            labels = {name: text for name, text in labels.items() if name != "__name__"}
            key = (labels["instance"],) if joins else tuple(sorted(labels.items()))
            row = rows.setdefault(key, {})
            name = target["legendFormat"]
            row.update({label: text if len(text) < 24 else f"{text[:12]}..." for label, text in labels.items()})
            if name not in labels:
                row[name] = f"{value:.4g}"
                if name in ("settings since", "started"):
                    row[name] = datetime.fromtimestamp(value / 1000, UTC).strftime("%H:%M:%S")
            columns += [column for column in row if column not in columns]
    cells = [[row.get(column, "") for column in columns] for row in rows.values()]
    table = axes.table(cellText=cells, colLabels=columns, loc="upper center", cellLoc="left")
    table.auto_set_font_size(False)
    table.set_fontsize(6.5)


def _marks(prometheus: Prometheus, board: dict[str, Any], seconds: int) -> list[tuple[float, str]]:
    """The times and colours of the annotations."""
    found = []
    for mark in board["annotations"]["list"]:
        colour = {"blue": COLOURS[0], "purple": COLOURS[3], "red": COLOURS[4], "green": COLOURS[2]}[mark["iconColor"]]
        for _, values in prometheus.over(queries.filled_in(mark["expr"], seconds), seconds):
            # An interval during which the expression holds is one mark.
            times = sorted({value / 1000 for _, value in values}) if mark["useValueForTime"] else [values[0][0]]
            found += [(at, colour) for at in times]
    return found


def legend(pattern: str, labels: dict[str, str]) -> str:
    """The name of a series by the pattern of Grafana."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match.group(1), ""), pattern)


def shown(value: float, unit: str) -> str:
    """A value in its unit, as short as a scale needs it."""
    if unit == "percentunit":
        return f"{100 * value:.3g}%"
    if unit == "s":
        scale, name = next(((scale, name) for scale, name in ((1, "s"), (1e-3, "ms"), (1e-6, "us")) if abs(value) >= scale), (1, "s"))
        return f"{value / scale:.3g} {name}"
    if unit == "bytes":
        scale, name = next(((scale, name) for scale, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if abs(value) >= scale), (1, "B"))
        return f"{value / scale:.3g} {name}"
    suffix = {"reqps": "/s", "ops": "/s"}.get(unit, "")
    return f"{value:.4g}{suffix}"
