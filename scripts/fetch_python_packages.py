#!/usr/bin/env python3
"""Fetches the Python packages of the tests for the current interpreter and checks their hashes.

    python3 scripts/fetch_python_packages.py [--into .runtime/python]

The script fetches nothing if the folder was installed from the same requirements for the same interpreter.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "tests" / "python" / "requirements.txt"
MIN_PYTHON = (3, 11)
STAMP_FILE = "installed"


def installation_id() -> str:
    """Identifies an installation by the hash of its requirements and by its interpreter."""
    requirements = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    return f"{requirements} {sys.implementation.cache_tag}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=ROOT / ".runtime" / "python")
    into = parser.parse_args().into
    stamp = into / STAMP_FILE
    if stamp.is_file() and stamp.read_text() == installation_id():
        return
    if sys.version_info < MIN_PYTHON:
        sys.exit(f"the pinned packages need Python {'.'.join(map(str, MIN_PYTHON))} or later; this is {sys.version}")
    print("fetching the Python packages of the tests", flush=True)
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        # A plain folder and not a virtual environment: on Debian, `venv` is in a separate package.
        fresh = Path(scratch) / "fresh"
        command = [
            *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--root-user-action", "ignore"),
            # The file pins everything that is needed. Some packages ask for more, for parts that no test uses.
            *("--no-deps", "--only-binary=:all:", "--require-hashes", "--target", str(fresh), "--requirement", str(REQUIREMENTS)),
        ]
        if subprocess.run(command, check=False).returncode != 0:
            sys.exit("pip could not install the packages of the tests: check that pip is installed and that it reaches a package index")
        (fresh / STAMP_FILE).write_text(installation_id())
        shutil.rmtree(into, ignore_errors=True)
        os.replace(fresh, into)
    print(f"the Python packages of the tests are in {into}", flush=True)


if __name__ == "__main__":
    main()
