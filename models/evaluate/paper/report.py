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
BLOCK = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
# Tables of which runs replace a part of their own each; of `accuracy`, each model is one.
PARTS = {
    "accuracy": {path.stem for path in BUNDLED.glob("*.toml")},
    "alone": {"linf", "l2"},
    "autoattack_images": {"linf", "l2"},
    "inside_radius": {"lipschitz", "smoothed"},
}
WITHOUT_ORIGIN = {"provenance.csv", "paper_numbers.csv", "paper_curves.csv"}  # the last two are the authors' own numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    wrong, shown = [], set()
    for document in DOCUMENTS:
        before = document.read_text()
        shown |= {block[1] for block in BLOCK.findall(before)}
        after = BLOCK.sub(lambda block: block[1] + TABLES[block[2]](block[2]).markdown() + block[3], before)
        if after != before and options.check:
            wrong.append(f"{document}: run models/evaluate/paper/report.py")
        elif not options.check:
            document.write_text(after)
    wrong += [f"no document shows the table {name}" for name in sorted(TABLES.keys() - shown)]
    recorded = read("provenance")
    wrong += outlived(recorded) + of_unknown_origin(recorded)
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(shown)} tables, all of the bundled models")


def outlived(recorded: list[dict[str, str]]) -> list[str]:
    """Tables that are not as their command left them, or were computed from files that are not those of today."""
    wrong = []
    for row in recorded:
        path = (BUNDLED if row["file"].endswith(".onnx") else RESULTS) / row["file"]
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]:
            continue
        what = "is not as its command left it" if row["file"] == row["table"] else f"is of another {row['file']}"
        wrong.append(f"{row['table']} {what}: run its command again")
    return wrong


def of_unknown_origin(recorded: list[dict[str, str]]) -> list[str]:
    """Tables of which provenance.csv does not say what all of their parts were computed from, or what they were then."""
    votes = {path.name for path in RESULTS.glob("votes_*.csv")}
    sources: dict[tuple[str, str], set[str]] = {}
    for row in recorded:
        sources.setdefault((row["table"], row["part"]), set()).add(row["file"])
    wrong = []
    for name in {path.name for path in RESULTS.glob("*.csv")} - WITHOUT_ORIGIN:
        parts = PARTS.get(name.removesuffix(".csv"), {""})
        known = all(sources.get((name, part), set()) - {name} for part in parts) and name in sources.get((name, ""), ())
        if name == "certified.csv":
            known = known and votes <= sources[name, ""]
        if not known:
            wrong.append(f"provenance.csv does not say what all of {name} was computed from: run its command again")
    return sorted(wrong)


if __name__ == "__main__":
    main()
