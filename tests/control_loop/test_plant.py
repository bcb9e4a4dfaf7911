"""The plant, its noise and its attacker, without a server."""

from __future__ import annotations

import math
import unittest
from typing import Callable

import control_loop
import numpy as np

from lane_keeping import attacker, plant
from lane_keeping.plant import Car


def class_of(car: Car) -> str:
    """The class that the models learn."""
    if abs(car.offset_ahead) <= plant.DEAD_BAND:
        return "straight"
    return "left" if car.offset_ahead > 0 else "right"


def largest_offset(steer: Callable[[Car], float], speed: float, seconds: float, offset: float = 0.3) -> float:
    car = Car(offset=offset, speed=speed)
    largest = 0.0
    for _ in range(round(seconds / plant.PERIOD)):
        car.move(steer(car), speed)
        largest = max(largest, abs(car.offset))
    return largest


class PlantTest(unittest.TestCase):
    def test_the_true_class_keeps_the_car_in_its_lane(self) -> None:
        for offset in (-0.8, 0.0, 0.8):
            with self.subTest(offset):
                found = largest_offset(lambda car: plant.STEERING[class_of(car)], plant.CRUISE_SPEED, 120.0, offset)
                self.assertLess(found, plant.LANE)

    def test_the_fallback_controller_keeps_it_there_at_its_own_speed(self) -> None:
        for offset in (-0.8, 0.0, 0.8):
            with self.subTest(offset):
                found = largest_offset(Car.fallback_steering, plant.CRAWL_SPEED, 120.0, offset)
                self.assertLess(found, plant.LANE)

    def test_a_wrong_class_leads_out_of_it(self) -> None:
        for steering in plant.STEERING.values():
            self.assertGreater(largest_offset(lambda _, held=steering: held, plant.CRUISE_SPEED, 20.0), plant.LANE)

    def test_a_held_action_stays_in_it_for_the_hold_limit(self) -> None:
        """From the middle of the lane, whatever the action."""
        seconds = control_loop.HOLD_LIMIT * plant.PERIOD
        for steering in plant.STEERING.values():
            found = largest_offset(lambda _, held=steering: held, plant.CRUISE_SPEED, seconds)
            self.assertLess(found, plant.LANE)

    def test_the_mirrored_road_gives_the_mirrored_image(self) -> None:
        one = plant.draw(0.4, 0.05, 0.003, 0.6, 0.3, 0.1)
        other = plant.draw(-0.4, -0.05, -0.003, 0.6, 0.3, -0.1)
        self.assertEqual(one.shape, (1, 1, plant.SIZE, plant.SIZE))
        np.testing.assert_allclose(one, other[..., ::-1], atol=1e-6)

    def test_the_paint_is_left_of_a_car_on_the_right(self) -> None:
        columns = plant.draw([-0.5, 0.0, 0.5], 0.0, 0.0, 0.6, 0.3, 0.0)[:, 0].argmax(axis=2)
        self.assertTrue((columns[0] >= columns[1]).all() and (columns[1] >= columns[2]).all())
        self.assertTrue((columns[0] > columns[2]).all())

    def test_the_phases_cover_the_drive(self) -> None:
        starts = [phase.start for phase in plant.PHASES]
        self.assertEqual(starts, sorted(set(starts)))
        self.assertEqual((plant.phase_at(0.0), plant.phase_at(1.0)), (plant.PHASES[0], plant.PHASES[-1]))
        attacks = [phase.attack for phase in plant.PHASES]
        self.assertTrue(0.0 in attacks and 1.0 in attacks and max(attacks) > 1.0)


class NoiseTest(unittest.TestCase):
    def test_noise_and_an_assumed_attack_stay_inside_the_required_radius(self) -> None:
        camera, scene = plant.Camera(5), plant.draw(0.2, 0.0, 0.0, 0.6, 0.3, 0.0)[0]
        random = np.random.default_rng(6)
        distances = []
        for _ in range(2000):
            pattern = random.normal(size=scene.shape).astype(np.float32)
            pattern = attacker.limited(pattern, control_loop.ASSUMED_ATTACK)
            frame = camera.frame(scene, pattern)
            self.assertTrue(frame.min() >= 0.0 and frame.max() <= 1.0)
            distances.append(float(np.linalg.norm(frame.astype(np.float64) - scene)))
        self.assertLess(max(distances), control_loop.REQUIRED_RADIUS)
        # The noise alone is about sigma sqrt(d), so the bound above is not an idle one.
        self.assertGreater(max(distances), control_loop.ASSUMED_ATTACK)

    def test_the_bound_is_that_of_the_guide(self) -> None:
        expected = 0.3 + 0.01 * (16 + math.sqrt(2 * math.log(1e12)))
        self.assertAlmostEqual(control_loop.REQUIRED_RADIUS, expected, places=12)
        self.assertEqual(round(control_loop.REQUIRED_RADIUS, 4), 0.5343)


class AttackerTest(unittest.TestCase):
    def setUp(self) -> None:
        random = np.random.default_rng(7)
        # Linear models, so that the best pattern is known: along the difference of two rows.
        weights = random.normal(size=(plant.SIZE // 2, plant.SIZE // 2)).repeat(2, axis=0).repeat(2, axis=1)
        self.direction = weights / np.linalg.norm(weights)
        self.scene = np.full((1, plant.SIZE, plant.SIZE), 0.5, np.float32)

    def probabilities(self, images: plant.Image) -> tuple[np.ndarray, np.ndarray]:
        scores = np.tensordot(images[:, 0].astype(np.float64), self.direction, axes=2)
        wanted = 1 / (1 + np.exp(-scores))
        both = np.stack([wanted, 1 - wanted, np.zeros_like(wanted)], axis=1)
        return both, both

    def test_it_climbs_the_gradient_within_its_budget(self) -> None:
        one = attacker.Attacker(self.probabilities)
        for _ in range(5):
            pattern = one.pattern(self.scene, 0.3)
            self.assertLessEqual(np.linalg.norm(pattern.astype(np.float64)), 0.3)
        alignment = float(np.sum(pattern * self.direction) / np.linalg.norm(pattern))
        self.assertGreater(alignment, 0.99)

    def test_a_smaller_budget_holds_at_once(self) -> None:
        one = attacker.Attacker(self.probabilities)
        one.pattern(self.scene, 3.0)
        self.assertLessEqual(np.linalg.norm(one.pattern(self.scene, 0.3).astype(np.float64)), 0.3)
        self.assertEqual(np.abs(one.pattern(self.scene, 0.0)).max(), 0.0)


if __name__ == "__main__":
    unittest.main()
