#!/usr/bin/env python3
"""Installs the Python tools of the deployment checks into a virtual environment and checks their hashes.

    python3 scripts/install_deploy_tools.py [--into .runtime/deploy-tools]

The script installs nothing if the folder was made from the same requirements for the same interpreter.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "deploy" / "checks" / "requirements.txt"
MIN_PYTHON = (3, 11)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=ROOT / ".runtime" / "deploy-tools")
    into = parser.parse_args().into
    if sys.version_info < MIN_PYTHON:
        sys.exit(f"the pinned tools need Python {'.'.join(map(str, MIN_PYTHON))} or later; this is {sys.version}")
    # The path belongs to it: the programs of a virtual environment name their interpreter's path.
    requirements = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    installation_id = f"{requirements} {sys.implementation.cache_tag} {into.resolve()}\n"
    stamp = into / "installed"
    if stamp.is_file() and stamp.read_text() == installation_id:
        return
    print(f"installing the tools of the deployment checks into {into}", flush=True)
    shutil.rmtree(into, ignore_errors=True)
    into.parent.mkdir(parents=True, exist_ok=True)
    # Without pip inside: on Debian, the bundled pip is in a separate package. The pip outside serves the environment.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(into)], check=True)
    command = [
        *(sys.executable, "-m", "pip", "--python", str(into), "install", "--disable-pip-version-check", "--quiet"),
        *("--only-binary=:all:", "--require-hashes", "--requirement", str(REQUIREMENTS)),
    ]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit("pip could not install the tools: check that pip is 22.3 or later and that it reaches a package index")
    stamp.write_text(installation_id)


if __name__ == "__main__":
    main()
