"""The committed messages are those that `scripts/generate_stubs.py` generates from `proto/`."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
GENERATED = ["certimix/v1/mixed_classifier_pb2.py", "certimix/v1/mixed_classifier_pb2.pyi"]


class StubsTest(unittest.TestCase):
    def test_the_committed_stubs_are_up_to_date(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-s", "-B", str(PACKAGE / "scripts" / "generate_stubs.py"), "--into", folder]
            subprocess.run(command, timeout=120, check=True)
            for name in GENERATED:
                with self.subTest(name):
                    expected = (Path(folder) / name).read_text()
                    found = (PACKAGE / "src" / name).read_text()
                    self.assertEqual(found, expected, f"{name} is out of date: run scripts/generate_stubs.py")


if __name__ == "__main__":
    unittest.main()
