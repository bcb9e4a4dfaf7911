"""The Python of the guide runs as it is written, against the server of the example, and prints what the guide shows."""

from __future__ import annotations

import contextlib
import io
import os
import re
import unittest
from pathlib import Path
from typing import Any

import certimix
import control_loop
from lane_keeping import plant, server

ROOT = Path(control_loop.__file__).parents[1]
GUIDE = ROOT / "docs" / "guides" / "acting-on-an-answer.md"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
PATIENCE = 300.0  # seconds: the machine may be busy


class GuideTest(unittest.TestCase):
    def test_every_block_runs_and_prints_what_the_guide_shows(self) -> None:
        blocks = BLOCK.findall(GUIDE.read_text())
        self.assertEqual(len(blocks), 4)
        self.assertEqual(sum(bool(output) for _, output in blocks), 2)
        clear_road = plant.draw(0.0, 0.0, 0.0, plant.CLEAR, 0.3, 0.0)[0]
        address = self.enterContext(server.running_server(os.environ["CERTIMIX_TEST_BINARY"]))
        client = self.enterContext(certimix.Client(address, deadline=PATIENCE))
        # A reader runs the blocks one after the other.
        names: dict[str, Any] = {"certimix": certimix, "client": client, "frame": clear_road}
        for text, output in blocks:
            with self.subTest(text), contextlib.redirect_stdout(io.StringIO()) as printed:
                # The machine of a test may be slower than a control loop allows.
                exec(text.replace("DEADLINE = 0.010", f"DEADLINE = {PATIENCE}"), names)
            if output:
                self.assertEqual(printed.getvalue(), output)
        self.assertEqual((names["action"], names["why_not"]), ("straight", None))
        self.assertEqual((names["record"]["class"], names["record"]["basis"]), ("straight", "PROVEN"))

    def test_its_numbers_are_those_of_the_example(self) -> None:
        text = GUIDE.read_text()
        self.assertIn(f"REQUIRED = {control_loop.REQUIRED_RADIUS:.4f}\n", text)
        self.assertIn(f"DEADLINE = {control_loop.DEADLINE:.3f}\n", text)
        self.assertIn(
            f"sigma, d, attack = {plant.SENSOR_SIGMA}, {plant.SIZE**2}, {control_loop.ASSUMED_ATTACK}\n", text
        )
        self.assertIn(f"after {control_loop.HOLD_LIMIT} ticks in a row without one: fallback", text)
        self.assertIn(f"after {control_loop.RETURN_AFTER} ticks in a row with a class: certified", text)


if __name__ == "__main__":
    unittest.main()
