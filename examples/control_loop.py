#!/usr/bin/env python3
"""Keeps a simulated car in its lane at 50 Hz, by the answers of a Certimix server that an attacker tries to turn.

    make control-loop                                  build everything, and run this
    python3 examples/control_loop.py                   the same, once `certimix` is built and its package installed
    python3 examples/control_loop.py --plot .          and draw it (needs matplotlib)

Two cars drive one after the other. The first acts on every class. The second acts on a class only if it is certified
beyond everything that the sensor's noise and the assumed attacker can do; otherwise it holds its last certified
action, and after too long without one hands over to a slower controller that does not use the camera.
"""

from __future__ import annotations

import argparse
import contextlib
import enum
import json
import math
import sys
import time
from pathlib import Path
from typing import NamedTuple

try:
    import certimix
    import numpy as np
except ImportError as missing:
    sys.exit(f"{missing}: run `pip install ./clients/python`, or `make control-loop`")
from lane_keeping import plant, report, server
from lane_keeping.attacker import Attacker

DEADLINE = 0.010  # of an answer, in seconds: half a tick
ASSUMED_ATTACK = 0.3  # l2 norm of the strongest pattern that the controller must withstand
EXCEEDED = 1e-12  # probability that the noise of one frame exceeds its bound
# The norm of d independent Gaussian pixels exceeds sigma (sqrt(d) + sqrt(2 ln(1/p))) with probability p at most.
NOISE_BOUND = plant.SENSOR_SIGMA * (plant.SIZE + math.sqrt(2 * math.log(1 / EXCEEDED)))
REQUIRED_RADIUS = ASSUMED_ATTACK + NOISE_BOUND
HOLD_LIMIT = 15  # ticks in a row without a certificate before the fallback controller takes over
RETURN_AFTER = 25  # certified ticks in a row before it hands back


class Mode(enum.Enum):
    """Which controller acts."""

    CERTIFIED = "certified"
    HOLD = "hold"
    FALLBACK = "fallback"


class Simplex:
    """Decides in each tick which controller acts. It starts with the fallback, because nothing is certified yet."""

    def __init__(self, hold_limit: float = HOLD_LIMIT, return_after: int = RETURN_AFTER) -> None:
        self._hold_limit, self._return_after = hold_limit, return_after
        self._with, self._without = 0, 0  # ticks in a row with and without a certified class
        self._mode = Mode.FALLBACK
        self._action: str | None = None

    def decide(self, certified: str | None) -> tuple[Mode, str | None]:
        """The mode and the action of this tick. `certified` is the class to act on; `None` if there is none."""
        self._with, self._without = (0, self._without + 1) if certified is None else (self._with + 1, 0)
        if certified is None:
            if self._mode is not Mode.FALLBACK:
                self._mode = Mode.HOLD if self._without <= self._hold_limit else Mode.FALLBACK
        else:
            self._action = certified
            if self._mode is not Mode.FALLBACK or self._with >= self._return_after:
                self._mode = Mode.CERTIFIED
        return self._mode, None if self._mode is Mode.FALLBACK else self._action


class Reading(NamedTuple):
    """What one answer allows."""

    action: str | None
    radius: float = 0.0
    why_not: str | None = None


def read_camera(stream: certimix.PredictStream, frame: plant.Image, any_class: bool) -> Reading:
    """Asks the server about a frame. A late, refused or missing answer allows nothing."""
    try:
        answer = stream.predict(frame, deadline=DEADLINE)
    except certimix.CertimixError as error:
        return Reading(None, why_not=type(error).__name__)
    if any_class:
        return Reading(answer.best_guess_label, answer.radius)
    action = answer.label_if_certified(REQUIRED_RADIUS, None, norm="l2", require_proven=True)
    return Reading(action, answer.radius, answer.why_not_beyond(REQUIRED_RADIUS, norm="l2", require_proven=True))


def drive(client: certimix.Client, seconds: float, seed: int, any_class: bool) -> list[report.Tick]:
    """Drives until the end, or until the car leaves its lane."""
    car, camera = plant.Car(), plant.Camera(seed)
    simplex = Simplex(math.inf, 1) if any_class else Simplex()
    attacker = Attacker(lambda images: report.probabilities(client, images, DEADLINE))
    ticks: list[report.Tick] = []
    count = max(1, round(seconds / plant.PERIOD))
    with client.predict_stream() as stream:
        due = time.monotonic()
        for number in range(count):
            phase = plant.phase_at(number / count)
            scene = camera.scene(car, phase.contrast)
            frame = camera.frame(scene, attacker.pattern(scene, phase.attack * ASSUMED_ATTACK))
            reading = read_camera(stream, frame, any_class)
            mode, action = simplex.decide(reading.action)
            if action is None:
                car.move(car.fallback_steering(), plant.CRAWL_SPEED)
            else:
                car.move(plant.STEERING[action], plant.CRUISE_SPEED)
            distance = float(np.linalg.norm(frame.astype(np.float64) - scene))
            ticks.append(report.Tick(number, car.offset, mode.value, action, *reading, distance, phase, scene))
            report.show_progress(any_class, number + 1, count)
            if car.left_lane:
                break
            due = max(due + plant.PERIOD, time.monotonic())  # a late tick does not make the next ones early
            time.sleep(max(0.0, due - time.monotonic()))
    return ticks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="of a running server with server.toml; by default the example starts one")
    parser.add_argument("--binary", help="the certimix to start (default: that of this repository, or of PATH)")
    parser.add_argument("--seconds", type=report.duration, default=20.0, help="how long each car drives (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the sensor's noise (default: 1)")
    parser.add_argument(
        "--plot", type=Path, metavar="FOLDER", help="write control_loop.png and .svg there (needs matplotlib)"
    )
    parser.add_argument("--json", action="store_true", help="print one object a run, for programs")
    options = parser.parse_args()
    try:
        with contextlib.ExitStack() as stack:
            address = options.address or stack.enter_context(server.running_server(options.binary))
            client = stack.enter_context(certimix.Client(address, deadline=30.0))
            server.require_models(client)
            runs = [drive(client, options.seconds, options.seed, any_class) for any_class in report.RULES]
            rules = zip(report.RULES.values(), runs)
            summaries = [report.summary(client, rule, ticks, REQUIRED_RADIUS) for rule, ticks in rules]
    except (server.ServerError, certimix.CertimixError) as error:
        sys.exit(f"error: {error}")
    print("\n".join(map(json.dumps, summaries)) if options.json else report.table(summaries))
    if options.plot:
        report.plot(runs, REQUIRED_RADIUS, options.seconds, options.plot)


if __name__ == "__main__":
    main()
