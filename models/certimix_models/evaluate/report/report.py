"""Writes the tables of docs/results.md and of the model card from the CSV files in docs/results, or
checks them. Needs Python only.
"""

import argparse
import hashlib
import re
import sys

from certimix_models.evaluate.report.report_tables import TABLES
from certimix_models.evaluate.report.table_format import read_rows
from certimix_models.repository import BUNDLED_MODELS, REPOSITORY, RESULTS

DOCUMENTS = [REPOSITORY / "docs" / "results.md", BUNDLED_MODELS / "README.md"]
COMMANDS = REPOSITORY / "models" / "docs" / "experiments.md"
BLOCK = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
COPIED_TABLES = {"paper_curves.csv", "paper_numbers.csv"}  # copied from the authors, not computed
VOTES = {path.name for path in RESULTS.glob("*votes_*.csv")}
# The files from which each part of a table is computed. A table that is not listed must have been
# computed from at least one file.
SOURCES = {
    "accuracy.csv": {path.stem: {f"{path.stem}.onnx"} for path in BUNDLED_MODELS.glob("*.toml")},
    "alone.csv": {"linf": {"adversarial.onnx"}, "l2": {"lipschitz.onnx"}},
    "autoattack_images.csv": {"linf": {"standard.onnx", "adversarial.onnx"}, "l2": {"standard.onnx", "lipschitz.onnx"}},
    "inside_radius.csv": {
        "lipschitz": {"standard.onnx", "lipschitz.onnx"},
        "smoothed": {"standard.onnx", "smoothed-025.onnx"},
    },
    "inside_radius_gated.csv": {"lipschitz": {"standard.onnx", "lipschitz.onnx"}},
    "inside_radius_nearest.csv": {"smoothed": {"standard.onnx", "smoothed-025.onnx", "inside_radius.csv"}},
    "certified.csv": {"": {name for name in VOTES if name.startswith("votes_")}},
    "fig3.csv": {"": {"standard.onnx", "lipschitz.onnx", "votes_smoothed-025.csv", "far_votes_smoothed-050.csv"}},
    "setting.csv": {"": {"standard.onnx", "lipschitz.onnx"}},
    "class_thresholds.csv": {"": {"standard.onnx", "lipschitz.onnx"}},
    "gated_autoattack.csv": {"": {"standard.onnx", "lipschitz.onnx", "setting.csv"}},
    "gated_pgd.csv": {"": {"standard.onnx", "lipschitz.onnx", "setting.csv"}},
}
# For tables with parts: the values that a column must contain.
PARTS = {
    "accuracy": ("model", {path.stem for path in BUNDLED_MODELS.glob("*.toml")}),
    "alone": ("norm", {"linf", "l2"}),
    "autoattack": ("norm", {"linf", "l2"}),
    "inside_radius": ("method", {"logit_lipschitz", "tight"}),
}


def run(options: argparse.Namespace) -> None:
    try:
        problems = update_documents(options.check) + missing_parts() + stale_tables() + tables_without_provenance()
    except FileNotFoundError as error:
        problems = [f"{error.filename} is missing: run its command"]
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(TABLES)} tables, all of the bundled models")


def update_documents(check: bool) -> list[str]:
    """Updates the documents, or reports those that are out of date. Reports the tables that no
    document shows.
    """
    problems, shown = [], set()
    for document in DOCUMENTS:
        before = document.read_text()
        shown |= {block[1] for block in BLOCK.findall(before)}
        after = BLOCK.sub(lambda block: block[1] + TABLES[block[2]](block[2]).markdown() + block[3], before)
        if after != before and check:
            problems.append(f"{document}: run `certimix_models evaluate report`")
        elif not check:
            document.write_text(after)
    return problems + [f"no document shows the table {name}" for name in sorted(TABLES.keys() - shown)]


def missing_parts() -> list[str]:
    """Reports tables that lack a part."""
    return [
        f"{name}.csv has no rows of {column} {value}"
        for name, (column, values) in PARTS.items()
        for value in sorted(values - {row[column] for row in read_rows(name)})
    ]


def stale_tables() -> list[str]:
    """Reports tables that are not as their command wrote them, or that were computed from files
    that have changed, or by a command that is not documented.
    """
    problems, documented_commands = [], COMMANDS.read_text()
    for row in read_rows("provenance"):
        path = (BUNDLED_MODELS if row["file"].endswith(".onnx") else RESULTS) / row["file"]
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
            problem = (
                "is not as its command wrote it"
                if row["file"] == row["table"]
                else f"was computed from another {row['file']}"
            )
            problems.append(f"{row['table']} {problem}: run its command again")
        # the last step of `train` writes accuracy.csv
        has_command = row["file"] != row["table"] and row["table"] != "accuracy.csv"
        if has_command and (not row["command"] or f"`{row['command']}`" not in documented_commands):
            problems.append(
                f"{row['table']} was written by `{row['command']}`, which is not in {COMMANDS.relative_to(REPOSITORY)}"
            )
    return list(dict.fromkeys(problems))


def tables_without_provenance() -> list[str]:
    """Reports tables for which provenance.csv does not list the sources of all parts, or the
    table's own hash.
    """
    recorded: dict[tuple[str, str], set[str]] = {}
    for row in read_rows("provenance"):
        recorded.setdefault((row["table"], row["part"]), set()).add(row["file"])
    return [
        f"provenance.csv does not list all sources of {name}: run its command again"
        for name in sorted({path.name for path in RESULTS.glob("*.csv")} - {"provenance.csv"})
        if name not in recorded.get((name, ""), ())
        or not (
            name in COPIED_TABLES
            or all(covers(recorded.get((name, part), set()) - {name}, files) for part, files in sources_of_parts(name))
        )
    ]


def sources_of_parts(name: str) -> list[tuple[str, set[str]]]:
    """The parts of a table, each with its files."""
    return list(SOURCES.get(name, {"": set()}).items())


def covers(recorded_files: set[str], expected: set[str]) -> bool:
    """Whether all expected files are recorded, and at least one."""
    return recorded_files >= expected and len(recorded_files) > 0
