"""The control loop against the real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path
from typing import ClassVar
from unittest import mock

import certimix
import control_loop

from lane_keeping import plant, report, server

BINARY = os.environ["CERTIMIX_TEST_BINARY"]
PROGRAM = Path(control_loop.__file__)
PATIENCE = 300.0  # seconds: the machine may be busy
SEED = 1


class RunTest(unittest.TestCase):
    client: ClassVar[certimix.Client]
    address: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.address = cls.enterClassContext(server.running_server(BINARY))
        cls.client = cls.enterClassContext(certimix.Client(cls.address, deadline=PATIENCE))

    def drive(self, seconds: float, any_class: bool) -> list[report.Tick]:
        """Drives with the time that a busy machine needs for each answer."""
        with mock.patch.object(control_loop, "DEADLINE", PATIENCE):
            return control_loop.drive(self.client, seconds, SEED, any_class)

    def require_rule(self, ticks: list[report.Tick]) -> None:
        """Each tick follows from the answers so far, and no action is an uncertified class."""
        simplex, last = control_loop.Simplex(), None
        for tick in ticks:
            with self.subTest(tick=tick.number):
                is_certified = tick.radius > control_loop.REQUIRED_RADIUS
                self.assertEqual(tick.allowed is not None, is_certified)
                self.assertEqual(tick.why_not is None, is_certified)
                last = tick.allowed or last
                mode, action = simplex.decide(tick.allowed)
                self.assertEqual((tick.mode, tick.action), (mode.value, action))
                self.assertIn(tick.action, [None, last])

    def test_two_seconds_at_50_hz(self) -> None:
        ticks = self.drive(2.0, any_class=False)
        self.assertEqual(len(ticks), 100)
        self.require_rule(ticks)
        self.assertGreater(sum(tick.mode == "certified" for tick in ticks), 0)

    def test_certificates_keep_the_car_in_its_lane_until_the_attack_is_stronger_than_assumed(self) -> None:
        with mock.patch.object(control_loop.time, "sleep"):  # as fast as the server answers
            every_class = self.drive(20.0, any_class=True)
            certified = self.drive(20.0, any_class=False)
        self.require_rule(certified)
        first, second = (
            report.summary(self.client, rule, ticks, control_loop.REQUIRED_RADIUS)
            for rule, ticks in zip(report.RULES.values(), (every_class, certified))
        )
        # The car that acts on every class leaves its lane under the attack that the other one withstands.
        self.assertIsNotNone(first["left_lane_s"])
        self.assertGreater(first["wrong_inside"], 0)
        self.assertEqual((every_class[-1].phase.attack, every_class[-1].phase.contrast), (1.0, plant.WORN))
        self.assertEqual(second["wrong_inside"], 0)
        self.assertGreater(certified[-1].phase.attack, 1.0)
        for mode in report.MODES:
            self.assertGreater(second[mode], 0, mode)
        # A certified class is that of the scene, if the frame is inside the radius that was certified for it.
        for tick in certified:
            if tick.phase.attack <= 1.0:
                self.assertLess(tick.distance, control_loop.REQUIRED_RADIUS)

    def run_program(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-s", "-B", str(PROGRAM), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def test_the_program_starts_a_server_and_counts_its_ticks(self) -> None:
        result = self.run_program("--seconds", "2", "--json", "--binary", BINARY)
        self.assertEqual(result.returncode, 0, result.stderr)
        first, second = map(json.loads, result.stdout.splitlines())
        self.assertEqual((first["rule"], second["rule"]), ("every class", "certified classes"))
        self.assertEqual((first["ticks"], second["ticks"]), (100, 100))
        for found in (first, second):
            self.assertEqual(found["certified"] + found["hold"] + found["fallback"], found["ticks"])
        self.assertEqual(second["wrong_inside"], 0)

    def test_the_program_uses_a_running_server_and_prints_a_table_of_80_columns(self) -> None:
        result = self.run_program("--seconds", "0.2", "--address", self.address)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("certified classes", result.stdout)
        self.assertLessEqual(max(map(len, result.stdout.splitlines())), 80)

    def test_bad_arguments_are_named(self) -> None:
        for arguments, expected in [
            (("--seconds", "-1"), "--seconds: expected seconds from 0 to 3600, found '-1'"),
            (("--seconds", "nan"), "found 'nan'"),
            (("--binary", "/nowhere/certimix"), "/nowhere/certimix"),
        ]:
            with self.subTest(arguments):
                result = self.run_program(*arguments)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(expected, result.stderr)
                self.assertNotIn("Traceback", result.stderr)

    def test_the_models_are_proven(self) -> None:
        guarantee = self.client.info()
        self.assertEqual(tuple(guarantee.labels), plant.LABELS)
        found = self.client.predict(plant.draw(0.0, 0.0, 0.0, plant.CLEAR, 0.3, 0.0)[0])
        self.assertEqual(found.basis, certimix.CertificateBasis.PROVEN)
        self.assertTrue(found.certified_beyond(control_loop.REQUIRED_RADIUS, norm="l2", require_proven=True))


if __name__ == "__main__":
    unittest.main()
