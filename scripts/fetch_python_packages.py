#!/usr/bin/env python3
"""Fetches the Python packages of the tests for this Python, pinned and checked by hash.

    python3 scripts/fetch_python_packages.py [--into .runtime/python]

Nothing is fetched if what is there was installed from the same requirements for the same Python.
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
OLDEST = (3, 11)
STAMP = "installed"


def wanted() -> str:
    """What an installation is good for: these requirements, this interpreter."""
    requirements = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    return f"{requirements} {sys.implementation.cache_tag}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=ROOT / ".runtime" / "python")
    into = parser.parse_args().into
    stamp = into / STAMP
    if stamp.is_file() and stamp.read_text() == wanted():
        return
    if sys.version_info < OLDEST:
        sys.exit(f"the pinned packages need Python {'.'.join(map(str, OLDEST))} or later; this is {sys.version}")
    print("fetching the Python packages of the tests …", flush=True)
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        # Into a folder, and not an environment: Debian keeps `venv` in a package of its own.
        fresh = Path(scratch) / "fresh"
        command = [
            *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--root-user-action", "ignore"),
            *("--only-binary=:all:", "--require-hashes", "--target", str(fresh), "--requirement", str(REQUIREMENTS)),
        ]
        if subprocess.run(command, check=False).returncode != 0:
            sys.exit("pip could not install the packages of the tests (it needs Python 3 with pip, and a package index)")
        (fresh / STAMP).write_text(wanted())
        shutil.rmtree(into, ignore_errors=True)
        os.replace(fresh, into)
    print(f"the Python packages of the tests are in {into}", flush=True)


if __name__ == "__main__":
    main()
