"""What happened in a run: its ticks, a summary, and a plot."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import certimix
import numpy as np
from numpy.typing import NDArray

from lane_keeping.plant import LANE, PERIOD, Image, Phase

RULES = {True: "every class", False: "certified classes"}
"""What a car acts on, by whether it acts on any class."""
MODES = ("certified", "hold", "fallback")
BATCH = 64  # images in one request
LONGEST = 3600.0  # seconds of one run; it keeps each scene
ROWS = {
    "ticks": "ticks of 20 ms",
    "certified": "acted on the class of the tick",
    "hold": "held its last action",
    "fallback": "left to the fallback controller",
    "no_answer": "late, refused, or no server",
    "wrong_inside": "acted wrongly, inside the radius",
    "wrong_outside": "acted wrongly, outside the radius",
    "left_lane_s": "left its lane after (s)",
}


class Tick(NamedTuple):
    """One tick of a run."""

    number: int  # from 0
    offset: float  # of the car from the lane's centre, in metres, after this tick
    mode: str  # one of MODES
    action: str | None  # None if the fallback controller acted
    allowed: str | None  # the class that the answer allowed to act on
    radius: float  # certified for the frame; 0 if none is
    why_not: str | None  # why the answer allowed no class
    distance: float  # l2 distance of the frame from the scene
    phase: Phase
    scene: Image

    @property
    def time(self) -> float:
        """Of its end, in seconds from the start."""
        return (self.number + 1) * PERIOD


def batches(images: Sequence[Image]) -> Iterator[Image]:
    """The images in requests of a bounded size."""
    for start in range(0, len(images), BATCH):
        yield np.stack(images[start : start + BATCH])


def probabilities(
    client: certimix.Client, images: Image, deadline: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The probabilities of the standard and of the robust model, [N, K] each."""
    answers = client.predict_batch(images, components=True, deadline=deadline)
    standard = [answer.standard_probabilities for answer in answers]
    robust = [answer.robust_probabilities for answer in answers]
    return np.array(standard, dtype=np.float64), np.array(robust, dtype=np.float64)


def summary(client: certimix.Client, rule: str, ticks: list[Tick], required_radius: float) -> dict[str, Any]:
    """Counts of the ticks of a car that acts on `rule`. Asks the server for the class of each scene without noise and without an attack."""
    classes = [
        answer.best_guess_label
        for batch in batches([tick.scene for tick in ticks])
        for answer in client.predict_batch(batch)
    ]
    wrong = [
        tick for tick, scene_class in zip(ticks, classes) if tick.mode == "certified" and tick.action != scene_class
    ]
    errors = [tick for tick in ticks if tick.why_not is not None and tick.why_not.endswith("Error")]
    last = ticks[-1]
    return {
        "rule": rule,
        "ticks": len(ticks),
        **{mode: sum(tick.mode == mode for tick in ticks) for mode in MODES},
        "no_answer": len(errors),
        "wrong_inside": sum(tick.distance <= required_radius for tick in wrong),
        "wrong_outside": sum(tick.distance > required_radius for tick in wrong),
        "left_lane_s": None if abs(last.offset) <= LANE else round(last.time, 2),
        "required_radius": round(required_radius, 4),
    }


def table(summaries: list[dict[str, Any]]) -> str:
    """The summaries of the two runs side by side, in 80 columns."""
    width = max(map(len, ROWS.values()))
    lines = [f"{'a car that acts on':{width}}  {summaries[0]['rule']:>11}  {summaries[1]['rule']:>17}"]
    for key, text in ROWS.items():
        cells = ["-" if each[key] is None else str(each[key]) for each in summaries]
        lines.append(f"{text:{width}}  {cells[0]:>11}  {cells[1]:>17}")
    lines.append(f"an action needs a certified radius of {summaries[0]['required_radius']:.4f} (l2)")
    lines.append("wrongly: on another class than that of the scene without noise and attack")
    return "\n".join(lines)


def show_progress(any_class: bool, done: int, count: int) -> None:
    """A line on a terminal, which the next output replaces."""
    if sys.stderr.isatty() and done % round(1 / PERIOD) == 0:
        text = f"acts on {RULES[any_class]}: {done * PERIOD:.0f} of {count * PERIOD:.0f} s"
        print(f"{text:60}", end="\r", file=sys.stderr, flush=True)


def duration(text: str) -> float:
    """The value of --seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"expected seconds from 0 to {LONGEST:.0f}, found {text!r}")
    return seconds


def plot(runs: list[list[Tick]], required_radius: float, seconds: float, folder: Path) -> None:
    """Draws both runs into `folder`."""
    try:
        from lane_keeping.plot import draw_runs
    except ImportError as missing:
        sys.exit(f"error: {missing}: --plot needs matplotlib: run `pip install matplotlib`")
    draw_runs(runs, required_radius, seconds, folder)
