"""The plant: a car on a winding road, and its camera. Numpy alone; every random number has a seed.

Lengths are in metres, angles in radians, times in seconds. An image is float32 [1, 16, 16] in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.float32]

PERIOD = 0.02  # of a tick: 50 Hz
SIZE = 16  # rows and columns of an image
LABELS = ("left", "straight", "right")  # the classes: how to steer
LANE = 1.2  # the car has left its lane once its centre is this far from the lane's
LOOKAHEAD = 12.0  # the class follows from the offset at this distance
DEAD_BAND = 0.6  # the class is `straight` up to this offset there
SENSOR_SIGMA = 0.01  # standard deviation of the camera's Gaussian noise, for each pixel

CRUISE_SPEED, CRAWL_SPEED = 15.0, 4.0
BRAKING, ACCELERATION = 6.0, 3.0
STEERING = {"left": -0.045, "straight": 0.0, "right": 0.045}  # angle of the front wheels
MAX_STEERING = 0.15
STEERING_LAG = 0.08
WHEELBASE = 2.7

CLEAR, WORN = 0.6, 0.1  # brightness of the paint above the road's


class Phase(NamedTuple):
    """A part of the drive."""

    name: str
    start: float  # as a part of the whole drive
    contrast: float  # of the paint
    attack: float  # norm of the attacker's pattern, in multiples of the norm that the controller assumes


PHASES = (
    Phase("no attack", 0.0, CLEAR, 0.0),
    Phase("assumed attack", 0.15, CLEAR, 1.0),
    Phase("assumed attack, worn paint", 0.4, WORN, 1.0),
    Phase("no attack", 0.55, CLEAR, 0.0),
    Phase("5 × assumed", 0.7, CLEAR, 5.0),
    Phase("no attack", 0.8, CLEAR, 0.0),
    Phase("10 × assumed", 0.9, CLEAR, 10.0),
)


def phase_at(part: float) -> Phase:
    """The phase at this part of the drive, from 0 to 1."""
    return [phase for phase in PHASES if phase.start <= part][-1]


ROW_DISTANCES = np.linspace(20.0, 6.0, SIZE)  # the road ahead that each row of an image shows
PIXELS_PER_METRE = 30.0 / ROW_DISTANCES
LINE_WIDTH = np.maximum(0.15 * PIXELS_PER_METRE, 0.7)  # of the painted line, in pixels


def offset_ahead(distance: Any, offset: Any, heading: Any, curvature: Any) -> Any:
    """How far right of the lane's centre a car that drives straight on is after `distance`."""
    return offset + distance * heading - curvature * distance**2 / 2


def draw(
    offset: ArrayLike,
    heading: ArrayLike,
    curvature: ArrayLike,
    contrast: ArrayLike,
    light: ArrayLike,
    slope: ArrayLike,
) -> Image:
    """What an ideal camera sees, [N, 1, 16, 16], for N values of each argument.

    The lane's centre is a painted line, brighter than the road by `contrast`. The road has the brightness
    `light`, which changes by `slope` from the left to the right of the image.
    """
    # [N, 1, 1] each
    y, psi, bend, paint, brightness, change = (
        np.asarray(value, dtype=np.float64).reshape(-1, 1, 1)
        for value in (offset, heading, curvature, contrast, light, slope)
    )
    distances, columns = ROW_DISTANCES.reshape(1, -1, 1), np.arange(SIZE).reshape(1, 1, -1)
    line = (SIZE - 1) / 2 - PIXELS_PER_METRE.reshape(1, -1, 1) * offset_ahead(distances, y, psi, bend)
    profile = np.exp(-(((columns - line) / LINE_WIDTH.reshape(1, -1, 1)) ** 2) / 2)
    road = brightness + change * (columns / (SIZE - 1) - 0.5)
    images: Image = np.clip(road + paint * profile, 0.0, 1.0).astype(np.float32)[:, np.newaxis]
    return images


@dataclass
class Car:
    """The car on its road."""

    distance: float = 0.0  # along the road
    offset: float = 0.3  # of the centre of the car, to the right of the lane's centre
    heading: float = 0.0  # to the right of the road's direction
    speed: float = CRAWL_SPEED
    steering: float = 0.0

    @property
    def curvature(self) -> float:
        """Of the road at the car: positive to the right."""
        return float(np.sin(self.distance / 40.0)) / 400.0

    @property
    def offset_ahead(self) -> float:
        """The offset at the look-ahead distance, from which the class follows."""
        return float(offset_ahead(LOOKAHEAD, self.offset, self.heading, self.curvature))

    @property
    def left_lane(self) -> bool:
        """Whether the car is outside its lane."""
        return abs(self.offset) > LANE

    def fallback_steering(self) -> float:
        """A controller that does not use the camera: it steers by magnets in the road and a gyroscope, both coarse."""
        offset, heading = round(self.offset, 1), round(self.heading, 2)
        return -0.06 * offset - 0.6 * heading

    def move(self, steering: float, target_speed: float) -> None:
        """Advances by one tick."""
        self.steering += (float(np.clip(steering, -MAX_STEERING, MAX_STEERING)) - self.steering) * PERIOD / STEERING_LAG
        self.speed += float(np.clip(target_speed - self.speed, -BRAKING * PERIOD, ACCELERATION * PERIOD))
        self.distance += self.speed * PERIOD
        self.offset += self.speed * float(np.sin(self.heading)) * PERIOD
        self.heading += self.speed * (self.steering / WHEELBASE - self.curvature) * PERIOD


class Camera:
    """The camera of the car: an ideal image, to which noise and an attacker's pattern are added."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def scene(self, car: Car, contrast: float) -> Image:
        """The image without noise and without an attack, [1, 16, 16]."""
        light = 0.3 + 0.05 * np.sin(car.distance / 17.0)
        slope = 0.1 * np.sin(car.distance / 23.0)
        scene: Image = draw(car.offset, car.heading, car.curvature, contrast, light, slope)[0]
        return scene

    def frame(self, scene: Image, attack: Image) -> Image:
        """The image that the controller receives. Clipping moves no pixel away from the scene."""
        noise = self._random.normal(0.0, SENSOR_SIGMA, scene.shape)
        frame: Image = np.clip(scene + attack + noise, 0.0, 1.0).astype(np.float32)
        return frame
