#!/usr/bin/env python3
"""Writes the tables of docs/results.md from the CSV files in docs/results, so that no number there is typed by hand.

    python models/evaluate/paper/report.py          # rewrites what stands between <!-- table NAME --> and <!-- end -->
    python models/evaluate/paper/report.py --check  # exits with 1 if a table is not what the CSV files say
"""

import argparse
import csv
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
DOCUMENT = REPOSITORY / "docs" / "results.md"
RESULTS = REPOSITORY / "docs" / "results"
BLOCK = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
ATTACKS = ["clean", "STD", "ROB", "MIX", "worst"]
CLEAN_LEVELS = [90, 85, 80, 75, 70]

Table = list[list[str]]


def read(name: str) -> list[dict[str, str]]:
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def number(text: str, digits: int = 1) -> str:
    return f"{float(text):.{digits}f}" if text else "-"


def alpha(name: str) -> Table:
    rows = {(row["attack"], float(row["alpha"])): row for row in read(name)}
    alphas = sorted({alpha for attack, alpha in rows if attack == "MIX"})
    body = [[f"{value:g}", *(number(rows[attack, value]["accuracy"]) for attack in ATTACKS)] for value in alphas]
    return [["alpha", *ATTACKS], *body]


def margins(name: str) -> Table:
    head = ["model", "images", "answers", "how many", "mean margin", "95 % interval", "median"]
    body = [
        [row["model"], row["images"], row["answers"], row["count"], number(row["mean_margin"], 3)]
        + [f"{number(row['low'], 3)} to {number(row['high'], 3)}", number(row["median_margin"], 3)]
        for row in read(name)
    ]
    return [head, *body]


def curves(name: str) -> Table:
    """The best attacked accuracy of each curve among its points with a given clean accuracy at least."""
    rows = read(name)
    names = list(dict.fromkeys(row["curve"] for row in rows))
    body = []
    for curve in names:
        points = [(float(row["clean_accuracy"]), float(row["attacked_accuracy"])) for row in rows if row["curve"] == curve]
        best = [max((a for c, a in points if c >= level), default=None) for level in CLEAN_LEVELS]
        body.append([f"`{curve}`", *("-" if value is None else f"{value:.1f}" for value in best)])
    return [["curve", *(f"clean >= {level}" for level in CLEAN_LEVELS)], *body]


def plain(name: str) -> Table:
    rows = read(name)
    return [list(rows[0]), *(list(row.values()) for row in rows)]


def inside(name: str) -> Table:
    rows = read(name)
    broken = Counter(row["method"] for row in rows if row["broken"] != "no")
    attacked = Counter(row["method"] for row in rows)
    return [["certificate", "attacked", "broken"], *([kind, str(count), str(broken[kind])] for kind, count in attacked.items())]


TABLES: dict[str, Callable[[str], Table]] = {
    "alpha-linf": alpha,
    "alpha-l2": alpha,
    "margins-linf": margins,
    "margins-l2": margins,
    "choice-of-r-linf": curves,
    "choice-of-r-l2": curves,
    "smoothing-linf": curves,
    "smoothing-l2": curves,
    "certified": plain,
    "fig3": plain,
    "autoattack": plain,
    "inside_radius": inside,
}


def markdown(table: Table) -> str:
    head, *body = table
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    before = DOCUMENT.read_text()
    after = BLOCK.sub(lambda block: block[1] + markdown(TABLES[block[2]](block[2])) + block[3], before)
    if options.check:
        sys.exit(f"{DOCUMENT}: run models/evaluate/paper/report.py" if after != before else 0)
    DOCUMENT.write_text(after)
    print(f"{len(BLOCK.findall(before))} tables in {DOCUMENT}")


if __name__ == "__main__":
    main()
