#!/usr/bin/env python3
"""Checks the alerts with promtool: their syntax, and that each fires when it should and not before.

`cargo test --test operations` checks that every alert has such tests and a section in the runbook.
"""

import subprocess
import sys
from pathlib import Path

from common.outcome import report_missing
from common.prerequisites import missing_tools

FOLDER = Path(__file__).resolve().parents[1] / "prometheus"


def main() -> int:
    if missing := missing_tools(["promtool"]):
        return report_missing(missing)
    tests = sorted(str(path) for path in (FOLDER / "tests").glob("*.yml"))
    if not tests:
        print(f"{FOLDER / 'tests'} has no tests")
        return 1
    for command in (["check", "rules", str(FOLDER / "alerts.yml")], ["test", "rules", *tests]):
        print(f"promtool {' '.join(command[:2])} ...", flush=True)
        code = subprocess.run(["promtool", *command], check=False).returncode
        if code != 0:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
