"""The wheel builds without a network, holds what it must, and answers from its own files."""

import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

from support import Server

PACKAGE = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys, certimix, numpy
assert certimix.__file__.startswith(sys.argv[1]), certimix.__file__
with certimix.Client(sys.argv[2], deadline=30.0) as client:
    answer = client.predict(numpy.array([0.75, -0.75, -0.75, 0.0], dtype=numpy.float32))
    assert answer.certified_beyond(0.01, norm="l2"), answer
"""


class WheelTest(unittest.TestCase):
    def test_the_wheel_answers_from_its_own_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder, Server() as server:
            python = [sys.executable, "-s", "-B", "-m"]
            build = [*python, "hatchling", "build", "--target", "wheel", "--directory", folder]
            subprocess.run(build, cwd=PACKAGE, timeout=120, check=True, capture_output=True)
            (wheel,) = Path(folder).glob("certimix-*-py3-none-any.whl")
            names = set(zipfile.ZipFile(wheel).namelist())
            generated = {"certimix/v1/mixed_classifier_pb2.py", "certimix/v1/mixed_classifier_pb2.pyi"}
            self.assertLessEqual({"certimix/__init__.py", "certimix/py.typed", *generated}, names)
            self.assertFalse([name for name in names if name.startswith("tests")])
            installed = str(Path(folder) / "installed")
            install = [*python, "pip", "install", "--quiet", "--no-deps", "--no-index", "--root-user-action", "ignore"]
            subprocess.run([*install, "--target", installed, str(wheel)], timeout=120, check=True)
            packages = [path for path in os.environ["PYTHONPATH"].split(os.pathsep) if not path.endswith("/src")]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([installed, *packages])}
            program = [sys.executable, "-s", "-B", "-c", PROGRAM, installed, server.unix]
            subprocess.run(program, env=environment, timeout=120, check=True)


if __name__ == "__main__":
    unittest.main()
