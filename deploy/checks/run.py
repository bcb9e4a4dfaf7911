#!/usr/bin/env python3
"""Runs the checks of the deployment files and prints one line for each.

    deploy/checks/run.py [--only NAME[,NAME]] [--allow-missing] [--list]

A check is an executable file beside this one. It runs from the root of the repository and exits with 0 (passed), 1 (failed)
or 77 (a tool is missing; its output names the tool and how to get it). `make check-deploy ARGS="..."` passes arguments on.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common.outcome import MISSING
from common.prerequisites import ROOT

TOOLS = ROOT / ".runtime" / "deploy-tools" / "bin"
LONGEST_CHECK_S = 900
# A check that ran past its limit counts as failed. The value is that of timeout(1).
TIMED_OUT = 124
PROGRESS_INTERVAL_S = 5


def checks() -> dict[str, Path]:
    """The checks by name: the executable files of this folder except this one."""
    found = sorted(path for path in Path(__file__).parent.iterdir() if path.suffix in (".py", ".sh") and os.access(path, os.X_OK))
    return {path.stem: path for path in found if path.name != Path(__file__).name}


def environment() -> dict[str, str]:
    """The environment of a check: the tools of `make deploy-tools` come first, their Python included."""
    return {**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}", "PYTHONDONTWRITEBYTECODE": "1"}


def wait(process: subprocess.Popen[bytes], name: str, began: float) -> int:
    """Waits for a check with a line of progress every few seconds, and returns its exit code, or `TIMED_OUT`."""
    while True:
        try:
            return process.wait(PROGRESS_INTERVAL_S)
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - began
            print(f"...      {name}: {elapsed:.0f} s", file=sys.stderr, flush=True)
            if elapsed > LONGEST_CHECK_S:
                return TIMED_OUT


def run(name: str, program: Path) -> tuple[int, str, float]:
    """Runs one check and returns its exit code, its output and its duration in seconds."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        # A session of its own: a check that is ended takes the programs that it started with it.
        process = subprocess.Popen(
            [str(program)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = wait(process, name, began)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        return code, output.read(), time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAMES", help="the names of the checks to run, separated by commas")
    parser.add_argument("--allow-missing", action="store_true", help="a check whose tool is missing does not fail the run")
    parser.add_argument("--verbose", action="store_true", help="show the output of the checks that pass, too")
    parser.add_argument("--list", action="store_true", help="list the checks and run none")
    options = parser.parse_args()
    known = checks()
    if options.list:
        print("\n".join(known))
        return 0
    names = options.only.split(",") if options.only else list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"no check is named {', '.join(unknown)}; the checks are {', '.join(known)}")

    failed, missing = [], []
    for name in names:
        code, output, seconds = run(name, known[name])
        if code == 0:
            verdict = "ok"
        elif code == MISSING:
            verdict = "missing"
            missing.append(name)
        else:
            verdict = "FAIL"
            failed.append(name)
        print(f"{verdict:<8} {name} ({seconds:.1f} s)", flush=True)
        if code == TIMED_OUT:
            print(f"         ran for more than {LONGEST_CHECK_S} s and was ended")
        if code != 0 or options.verbose:
            print("\n".join(f"         {line}" for line in output.splitlines()), flush=True)
    print(f"{len(names) - len(failed) - len(missing)} passed, {len(failed)} failed, {len(missing)} without their tools")
    if missing and not options.allow_missing:
        print("Tools are missing. `make deploy-tools` installs most of them; the output above names the others.")
        print('`make check-deploy ARGS=--allow-missing` runs the checks that can run.')
    return 1 if failed or (missing and not options.allow_missing) else 0


if __name__ == "__main__":
    sys.exit(main())
