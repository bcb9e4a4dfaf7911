"""Draws the runs of the control loop in Rust, whose program writes their ticks with --csv (needs matplotlib).

    PYTHONPATH=clients/python/src:examples python3 -m lane_keeping.plot_csv ticks.csv FOLDER
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from lane_keeping import plant, report

REQUIRED_RADIUS = 0.3 + plant.SENSOR_SIGMA * (plant.SIZE + np.sqrt(2 * np.log(1e12)))


def read_runs(file: Path) -> list[list[report.Tick]]:
    """The run on every class, and that on certified classes. A file holds no scenes and no phases: the plot needs none."""
    runs: dict[str, list[report.Tick]] = {rule: [] for rule in report.RULES.values()}
    scene = np.zeros((1, plant.SIZE, plant.SIZE), np.float32)
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            tick = report.Tick(
                number=int(row["number"]),
                offset=float(row["offset"]),
                mode=row["mode"],
                action=row["action"] or None,
                allowed=row["allowed"] or None,
                radius=float(row["radius"]),
                why_not=None,
                distance=float(row["distance"]),
                phase=plant.PHASES[0],
                scene=scene,
            )
            runs[row["rule"]].append(tick)
    return list(runs.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="written by the Rust example with --csv")
    parser.add_argument("folder", type=Path, help="where control_loop.png and .svg go")
    parser.add_argument("--seconds", type=report.duration, default=20.0, help="that the example ran with (default: 20)")
    options = parser.parse_args()
    report.plot(read_runs(options.file), float(REQUIRED_RADIUS), options.seconds, options.folder)


if __name__ == "__main__":
    main()
