"""The package is typed strictly, and its syntax is that of every supported version of Python."""

import ast
import subprocess
import sys
import unittest
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = (3, 9)


class TypesTest(unittest.TestCase):
    def test_mypy_finds_nothing(self) -> None:
        command = [sys.executable, "-s", "-B", "-m", "mypy", "--cache-dir", "/dev/null", "--config-file", "pyproject.toml"]
        result = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=240, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_the_oldest_python_reads_every_file(self) -> None:
        files = sorted((PACKAGE / "src").rglob("*.py"))
        self.assertGreater(len(files), 2)
        for file in files:
            with self.subTest(file.name):
                ast.parse(file.read_text(), str(file), feature_version=OLDEST_PYTHON)


if __name__ == "__main__":
    unittest.main()
