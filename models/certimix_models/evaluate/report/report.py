#!/usr/bin/env python3
"""Writes the tables of docs/results.md and of the model card from the CSV files in docs/results: no number is typed by hand.

    python models/evaluate/paper/report.py          # rewrites what stands between <!-- table NAME --> and <!-- end -->
    python models/evaluate/paper/report.py --check  # fails if a table differs from its CSV file, or that is not as its command left it

The test tests/results.rs runs the check; Python's own library is all it needs.
"""

import argparse
import hashlib
import re
import sys

from report_tables import BUNDLED, REPOSITORY, RESULTS, TABLES, read

DOCUMENTS = [REPOSITORY / "docs" / "results.md", BUNDLED / "README.md"]
COMMANDS = REPOSITORY / "models" / "evaluate" / "paper" / "README.md"
BLOCK = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
AUTHORS = {"paper_curves.csv", "paper_numbers.csv"}  # copied, not computed
VOTES = {path.name for path in RESULTS.glob("*votes_*.csv")}
# The files that each part of a table is computed from; a table that is not here must have been computed from some.
SOURCES = {
    "accuracy.csv": {path.stem: {f"{path.stem}.onnx"} for path in BUNDLED.glob("*.toml")},
    "alone.csv": {"linf": {"adversarial.onnx"}, "l2": {"lipschitz.onnx"}},
    "autoattack_images.csv": {"linf": {"standard.onnx", "adversarial.onnx"}, "l2": {"standard.onnx", "lipschitz.onnx"}},
    "inside_radius.csv": {"lipschitz": {"standard.onnx", "lipschitz.onnx"}, "smoothed": {"standard.onnx", "smoothed-025.onnx"}},
    "inside_radius_nearest.csv": {"smoothed": {"standard.onnx", "smoothed-025.onnx", "inside_radius.csv"}},
    "certified.csv": {"": {name for name in VOTES if name.startswith("votes_")}},
    "fig3.csv": {"": {"standard.onnx", "lipschitz.onnx", "votes_smoothed-025.csv", "far_votes_smoothed-050.csv"}},
}
# Of tables with parts: what must stand in which column.
PARTS = {
    "accuracy": ("model", {path.stem for path in BUNDLED.glob("*.toml")}),
    "alone": ("norm", {"linf", "l2"}),
    "autoattack": ("norm", {"linf", "l2"}),
    "inside_radius": ("method", {"logit_lipschitz", "tight"}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    try:
        wrong = documents(options.check) + whole() + outlived() + of_unknown_origin()
    except FileNotFoundError as error:
        wrong = [f"{error.filename} is missing: run its command"]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(TABLES)} tables, all of the bundled models")


def documents(check: bool) -> list[str]:
    """Brings the documents up to date, or says which are not; and which tables none of them shows."""
    wrong, shown = [], set()
    for document in DOCUMENTS:
        before = document.read_text()
        shown |= {block[1] for block in BLOCK.findall(before)}
        after = BLOCK.sub(lambda block: block[1] + TABLES[block[2]](block[2]).markdown() + block[3], before)
        if after != before and check:
            wrong.append(f"{document}: run models/evaluate/paper/report.py")
        elif not check:
            document.write_text(after)
    return wrong + [f"no document shows the table {name}" for name in sorted(TABLES.keys() - shown)]


def whole() -> list[str]:
    """Tables that lack a part."""
    return [
        f"{name}.csv has no rows of {column} {value}"
        for name, (column, values) in PARTS.items()
        for value in sorted(values - {row[column] for row in read(name)})
    ]


def outlived() -> list[str]:
    """Tables that are not as their command left them, or were computed from files that are not those of today, or by a command that
    nobody is told of."""
    wrong, told = [], COMMANDS.read_text()
    for row in read("provenance"):
        path = (BUNDLED if row["file"].endswith(".onnx") else RESULTS) / row["file"]
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
            what = "is not as its command left it" if row["file"] == row["table"] else f"is of another {row['file']}"
            wrong.append(f"{row['table']} {what}: run its command again")
        computed = row["file"] != row["table"] and row["table"] != "accuracy.csv"  # which is the last step of train.py
        if computed and (not row["command"] or f"`{row['command']}`" not in told):
            wrong.append(f"{row['table']} was written by `{row['command']}`, which is not in {COMMANDS.relative_to(REPOSITORY)}")
    return list(dict.fromkeys(wrong))


def of_unknown_origin() -> list[str]:
    """Tables of which provenance.csv does not say what all of their parts were computed from, or what they were then."""
    recorded: dict[tuple[str, str], set[str]] = {}
    for row in read("provenance"):
        recorded.setdefault((row["table"], row["part"]), set()).add(row["file"])
    return [
        f"provenance.csv does not say what all of {name} was computed from: run its command again"
        for name in sorted({path.name for path in RESULTS.glob("*.csv")} - {"provenance.csv"})
        if name not in recorded.get((name, ""), ())
        or not (name in AUTHORS or all(known(recorded.get((name, part), set()) - {name}, files) for part, files in sources(name)))
    ]


def sources(name: str) -> list[tuple[str, set[str]]]:
    return list(SOURCES.get(name, {"": set()}).items())


def known(found: set[str], expected: set[str]) -> bool:
    return found >= expected and len(found) > 0


if __name__ == "__main__":
    main()
