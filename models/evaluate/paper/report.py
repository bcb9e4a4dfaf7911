#!/usr/bin/env python3
"""Writes the tables of docs/results.md and of the model card from the CSV files in docs/results: no number is typed by hand.

    python models/evaluate/paper/report.py          # rewrites what stands between <!-- table NAME --> and <!-- end -->
    python models/evaluate/paper/report.py --check  # fails if a table differs from its CSV file, or that is of other models

The test tests/results.rs runs the check; Python's own library is all it needs.
"""

import argparse
import csv
import hashlib
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parents[3]
BUNDLED = REPOSITORY / "models" / "cifar10"
DOCUMENTS = [REPOSITORY / "docs" / "results.md", BUNDLED / "README.md"]
RESULTS = REPOSITORY / "docs" / "results"
BLOCK = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
ATTACKS = ["clean", "STD", "ROB", "MIX", "worst"]
AUTOATTACK = ["apgd-ce", "apgd-t", "fab-t", "square"]
RADII = [0, 0.14, 0.25, 0.5]  # of Fig. 3; 0.14 is just under 36/255
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
        + [f"{number(row['low'], 3)} to {number(row['high'], 3)}" if row["low"] else "-", number(row["median_margin"], 3)]
        for row in read(name)
    ]
    return [head, *body]


def curves(name: str) -> Table:
    """The attacked accuracy at given clean accuracies, on the straight lines between the settings that were measured."""
    body = []
    for curve, rows in by_column(read(name), "curve").items():
        points = [(float(row["clean_accuracy"]), float(row["attacked_accuracy"])) for row in sorted(rows, key=lambda row: float(row["strength"]))]
        body.append([f"`{curve}`", *(on_the_line(points, level) for level in CLEAN_LEVELS)])
    return [["curve", *(f"at {level} % clean" for level in CLEAN_LEVELS)], *body]


def on_the_line(points: list[tuple[float, float]], at: float) -> str:
    """The highest ordinate of the line through these points there."""
    found = [
        max(left_y, right_y) if left == right else left_y + (right_y - left_y) * (at - left) / (right - left)
        for (left, left_y), (right, right_y) in pairwise(points)
        if min(left, right) <= at <= max(left, right)
    ]
    return f"{max(found):.1f}" if found else "-"


def certified(name: str) -> Table:
    """One line a classifier; the published ones, which have no interval, last of their sigma."""
    lines: dict[tuple[str, ...], dict[float, str]] = {}
    for row in sorted(read(name), key=lambda row: (float(row["sigma"]), not row["low_95"])):
        interval = f" ({number(row['low_95'], 3)} to {number(row['high_95'], 3)})" if row["low_95"] else ""
        lines.setdefault((row["classifier"], row["sigma"], row["votes_per_image"]), {})[float(row["radius"])] = number(row["share"], 3) + interval
    radii = sorted({radius for shares in lines.values() for radius in shares})
    body = [[*line, *(shares.get(at, "-") for at in radii)] for line, shares in lines.items()]
    return [["classifier", "sigma", "votes an image", *(f"r = {at:g}" for at in radii)], *body]


def inside(name: str) -> Table:
    """How many certificates were attacked and broken, and how near the attacks came."""
    body = []
    for method, rows in by_column(read(name), "method").items():
        radius = median(float(row["radius"]) for row in rows)
        if found := [float(row["worst_case_smallest"]) / float(row["radius"]) for row in rows if row.get("worst_case_smallest")]:
            near = f"smallest perturbation found: {min(found):.2f} times the radius, median {median(found):.2f}"
        else:
            needed = max(float(row["needed"]) for row in rows)
            near = f"least margin of h found: {min(float(row['margin']) for row in rows):.3f}, needed {needed:.3f}"
            for multiple in ("3", "6"):
                beyond = [float(row[f"margin_at_{multiple}"]) for row in rows if row[f"margin_at_{multiple}"]]
                below = sum(margin < needed for margin in beyond)
                near += f"; the same attack at {multiple} times the radius: below it for {below} of {len(beyond)}"
        broken = sum(float(row["broken"]) != 0 for row in rows)
        body.append([method, rows[0]["alpha"], str(len(rows)), f"{radius:.3f}", near, str(broken)])
    return [["certificate", "alpha", "attacked", "median radius", "how near the attacks came", "broken"], *body]


def by_column(rows: list[dict[str, str]], column: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row)
    return found


def autoattack(name: str) -> Table:
    """Of each mixture, what is left under all attacks, and what broke the rest."""
    body = []
    for row in read(name):
        broken_by = {attack: row[attack] for attack in (*AUTOATTACK, "transfer") if row[attack] != "0"}
        shares = [
            f"{number(row[f'{kind}_accuracy'])} ({number(row[f'{kind}_low'])} to {number(row[f'{kind}_high'])})"
            if row[f"{kind}_accuracy"]
            else "-"
            for kind in ("clean", "attacked", "certified")
        ]
        by = ", ".join(f"{attack} {count}" for attack, count in broken_by.items())
        broken = row["broken_certificates"] if row["certified_accuracy"] else "-"
        body.append([f"{row['norm']} {float(row['epsilon']):.4f}", row["alpha"], row["images"], *shares, by, broken])
    head = ["attack", "alpha", "images", "clean %", "attacked %", "certified %", "broken by", "certificates broken"]
    return [head, *body]


def certified_curves(name: str) -> Table:
    """The share of images certified at some radii; a curve that was not measured so far has no number there."""
    curves: dict[tuple[str, ...], dict[float, str]] = {}
    for row in read(name):
        setting = (row["robust"], row["certificate"], row["alpha"], row["robust_temperature"], row["clean_accuracy"], row["images"])
        share = f"{100 * int(row['certified']) / int(row['images']):.1f}"
        curves.setdefault(setting, {})[float(row["radius"])] = share
    body = [
        [robust, certificate, alpha, temperature, f"{100 * float(clean):.1f}", images, *(shares.get(at, "-") for at in RADII)]
        for (robust, certificate, alpha, temperature, clean, images), shares in curves.items()
    ]
    return [["h", "certificate", "alpha", "T", "clean %", "images", *(f"certified %, r = {at:g}" for at in RADII)], *body]


def accuracy(name: str) -> Table:
    """One line a model; each of its figures with its own name. And the size of its file."""
    body = []
    for model, rows in by_column(read(name), "model").items():
        shares = [f"{row['measure']} **{100 * int(row['right']) / int(row['images']):.2f} %**" for row in rows]
        body.append([f"`{model}`", f"{(BUNDLED / f'{model}.onnx').stat().st_size / 1e6:.1f} MB", ", ".join(shares)])
    return [["model", "file", "of 10,000 test images"], *body]


def alone(name: str) -> Table:
    body = [
        [f"`{row['robust'].removeprefix('cifar10-')}`", f"{row['images_of']}, {row['norm']} {float(row['epsilon']):.4f}", row["images"]]
        + [f"{number(row['accuracy'], 2)} ({number(row['low'], 2)} to {number(row['high'], 2)})"]
        for row in read(name)
        if row["images_of"] != "all, clean"
    ]
    return [["model", "attack", "test images", "right %"], *body]


TABLES: dict[str, Callable[[str], Table]] = {
    "alpha-linf": alpha,
    "alpha-l2": alpha,
    "margins-linf": margins,
    "margins-l2": margins,
    "choice-of-r-linf": curves,
    "choice-of-r-l2": curves,
    "smoothing-linf": curves,
    "smoothing-l2": curves,
    "accuracy": accuracy,
    "alone": alone,
    "certified": certified,
    "fig3": certified_curves,
    "autoattack": autoattack,
    "inside_radius": inside,
}


def markdown(table: Table) -> str:
    head, *body = table
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def outlived(shown: set[str]) -> list[str]:
    """Results of models that are not the bundled ones any more, and shown tables of which nobody knows the models."""
    found = [(Path(row["table"]).stem, row["model"], row["sha256"]) for row in read("models")]
    found += [("accuracy", row["model"], row["sha256"]) for row in read("accuracy")]
    for path in RESULTS.glob("votes_*.csv"):
        origin = dict(field.split("=") for field in path.read_text().partition("\n")[0].split()[1:])
        found.append((path.stem, origin["model"], origin["sha256"]))
        found.append(("certified", origin["model"], origin["sha256"]))
    models = {model for _, model, _ in found}
    bundled = {model: hashlib.sha256((BUNDLED / f"{model}.onnx").read_bytes()).hexdigest() for model in models}
    return [
        f"{table}.csv is of another {model}.onnx than the bundled one: run its command again"
        for table, model, sha256 in dict.fromkeys(found)
        if bundled[model] != sha256
    ] + [f"models.csv does not say of which models {name}.csv is" for name in sorted(shown - {table for table, *_ in found})]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    wrong, shown = [], set()
    for document in DOCUMENTS:
        before = document.read_text()
        shown |= {block[1] for block in BLOCK.findall(before)}
        after = BLOCK.sub(lambda block: block[1] + markdown(TABLES[block[2]](block[2])) + block[3], before)
        if after != before and options.check:
            wrong.append(f"{document}: run models/evaluate/paper/report.py")
        elif not options.check:
            document.write_text(after)
    wrong += [f"no document shows the table {name}" for name in sorted(TABLES.keys() - shown)]
    wrong += outlived(shown)
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(shown)} tables, all of the bundled models")


if __name__ == "__main__":
    main()
