#!/usr/bin/env python3
"""Runs every documented query, every query of the dashboard and the operands of every alert on a real Prometheus.

    deploy/checks/prometheus.py [--program FILE] [--draw FILE.png --seconds N]

Two replicas of the real server serve the bundled models under load, with shadow candidates, a reload, a rejected change and refused
requests. A real Prometheus scrapes them. A query passes if it returns at least one finite number. A query that a document marks as
"empty when healthy", and every alert, passes if the values that it compares exist.

`--draw` draws the dashboard from the results of its queries (it needs matplotlib).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

MISSING = 77
ROOT = Path(__file__).resolve().parents[2]


def missing() -> list[str]:
    """What the check needs and does not find, with the way to get it."""
    found = []
    try:
        import yaml  # noqa: F401
    except ImportError:
        found.append("pyyaml (make deploy-tools)")
    if shutil.which("prometheus") is None:
        found.append("prometheus (apt-get install prometheus)")
    if shutil.which("openssl") is None:
        found.append("openssl (apt-get install openssl)")
    if not (ROOT / ".runtime" / "onnxruntime" / "libonnxruntime.so").exists():
        found.append("ONNX Runtime (make runtime)")
    return found


def program() -> Path | None:
    """The newest built server: that of `CERTIMIX_PROGRAM`, or of cargo."""
    if named := os.environ.get("CERTIMIX_PROGRAM"):
        return Path(named)
    built = [ROOT / "target" / profile / "certimix" for profile in ("release", "debug")]
    return max((path for path in built if path.exists()), key=lambda path: path.stat().st_mtime, default=None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, help="the server's binary; default: CERTIMIX_PROGRAM, or the one that cargo built last")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw the dashboard into this PNG file")
    parser.add_argument("--seconds", type=int, default=20, help="how long the load runs before the queries (default 20)")
    options = parser.parse_args()
    server = options.program or program()
    lacking = missing() + ([] if server else ["the server (make build)"])
    if lacking or server is None:
        print("\n".join(f"missing: {one}" for one in lacking))
        return MISSING
    from monitoring.checks import run
    from monitoring.service import CheckError, Service

    try:
        with Service(server.resolve()) as service:
            failures = run(service, options.seconds)
            if options.draw:
                from monitoring.drawing import draw

                draw(service.prometheus, service.elapsed(), options.draw)
    except CheckError as error:
        print(f"error: {error}")
        return 1
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"exit code {code} after {time.monotonic() - began:.0f} s")
    sys.exit(code)
