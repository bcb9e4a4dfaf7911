#!/usr/bin/env python3
"""Runs every documented query, every query of the dashboard and the operands of every alert on a real Prometheus.

    deploy/checks/prometheus.py [--server target/release/certimix] [--draw FILE.png --seconds N]

Two replicas of the real server serve the bundled models under load, with shadow candidates, a reload, a rejected change and refused
requests. A real Prometheus scrapes them. A query passes if it returns at least one finite number. A query that a document marks as
"empty when healthy", and every alert, passes if the values that it compares exist.

`--draw` draws the dashboard from the results of its queries (it needs matplotlib).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from common.outcome import CheckFailed, report_missing
from common.prerequisites import RELEASE_SERVER, missing_tools


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=Path, default=RELEASE_SERVER, help="the server's program")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw the dashboard into this PNG file")
    parser.add_argument("--seconds", type=int, default=20, help="how long the load runs before the queries (default 20)")
    options = parser.parse_args()
    if missing := missing_tools(["prometheus", "openssl"], ["yaml"], options.server, needs_runtime=True):
        return report_missing(missing)
    from monitoring.checks import run
    from monitoring.service import Service

    try:
        with Service(options.server.resolve()) as service:
            failures = run(service, options.seconds)
            if options.draw:
                from monitoring.drawing import draw

                draw(service.prometheus, service.elapsed(), options.draw)
    except CheckFailed as error:
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
