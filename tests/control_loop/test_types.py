"""The example is typed strictly, its controller is short, and its models are small."""

import subprocess
import sys
import unittest
from pathlib import Path

import control_loop

EXAMPLES = Path(control_loop.__file__).parent


class TypesTest(unittest.TestCase):
    def test_mypy_finds_nothing(self) -> None:
        command = [
            sys.executable,
            "-s",
            "-B",
            "-m",
            "mypy",
            "--cache-dir",
            "/dev/null",
            "--config-file",
            "pyproject.toml",
        ]
        result = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_the_controller_has_fewer_than_150_lines(self) -> None:
        self.assertLess(len((EXAMPLES / "control_loop.py").read_text().splitlines()), 150)

    def test_every_model_is_small(self) -> None:
        models = list((EXAMPLES / "lane_keeping").glob("*.onnx"))
        self.assertEqual(len(models), 2)
        for model in models:
            self.assertLess(model.stat().st_size, 200_000, model.name)


if __name__ == "__main__":
    unittest.main()
