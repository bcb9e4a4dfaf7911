#!/usr/bin/env python3
"""Prints how many replicas answer a load: the formula of docs/guides/scaling.md.

    replicas = requests/s * (standard_ms + rows * robust_ms) / 1000 / (executors * target)

rounded up, and at least --min-replicas. `rows` is 1, or the mean number of votes of a robust model that draws votes.
Measure the times on your machine: rate(certimix_batch_duration_seconds_sum) / rate(certimix_rows_total), by model.
"""

import argparse
import math
import sys


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--standard-ms", type=float, default=3.0, help="time of a row of the standard model (3)")
    parser.add_argument("--robust-ms", type=float, default=1.0, help="time of a row or vote of the robust model (1)")
    parser.add_argument("--executors", type=float, default=2.0, help="executors of a replica, or its CPU limit (2)")
    parser.add_argument("--target", type=float, default=0.7, help="share of the executors that is used (0.7)")
    parser.add_argument("--min-replicas", type=int, default=2, help="replicas without load (2)")
    parser.add_argument("--requests", type=float, nargs="+", default=[10, 100, 1000], help="requests a second")
    parser.add_argument("--rows", type=float, nargs="+", default=[1, 100, 1000], help="rows or votes of a request")
    args = parser.parse_args()
    for name in ("standard_ms", "robust_ms", "executors", "target"):
        if not getattr(args, name) > 0:
            parser.error(f"--{name.replace('_', '-')} must be positive")
    if args.target > 1:
        parser.error("--target must be at most 1")
    return args


def main() -> None:
    args = arguments()
    lines = ["| requests/s | votes of each | votes/s | executors asked for | replicas |", "|---|---|---|---|---|"]
    for requests in args.requests:
        for rows in args.rows:
            demand = requests * (args.standard_ms + rows * args.robust_ms) / 1000
            replicas = max(args.min_replicas, math.ceil(round(demand / (args.executors * args.target), 9)))
            lines.append(f"| {requests:,.0f} | {rows:,.0f} | {requests * rows:,.0f} | {demand:,.2f} | {replicas:,} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
