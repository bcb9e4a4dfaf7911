"""The CSV tables of docs/results, and `provenance.csv` beside them: for each table the command that
wrote it, the files that it was computed from, and its own SHA-256.

Several commands write there, some of them only a part of a table. `evaluate report --check`, which
a test runs, fails if a table is not as its command wrote it, or if the files that it was computed
from have changed.
"""

import csv
import fcntl
import hashlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROVENANCE = "provenance.csv"
# Options, with one value each, that change where or how fast a command works, and not its result.
OPTIONS_WITHOUT_EFFECT = {"--threads", "--shard", "--work-dir", "--results-dir", "--out", "--results", "--cache"}

FileIdentity = tuple[str, str]  # a file's name and SHA-256


def read(path: Path) -> list[dict]:
    """The rows of a table. Numbers are converted to float."""
    return [_numbers(row) for row in _read_texts(path)]


def write(path: Path, rows: list[dict], *sources: FileIdentity) -> None:
    """Writes the whole table, which was computed from these files."""
    with _exclusive_lock(path.parent):
        _write_csv(path, rows)
        _write_provenance(path, sources, "")


def replace_part(
    path: Path, rows: list[dict], is_of_part: Callable[[dict], bool], *sources: FileIdentity, part: str
) -> None:
    """Replaces the rows of one part of a table, which were computed from these files, and keeps the
    other rows. Parts may have columns of their own. A cell without a value is empty.
    """
    with _exclusive_lock(path.parent):
        if path.exists() and not _matches_provenance(path):
            sys.exit(
                f"{path} was changed since a command wrote it, and this command writes only a part of it: restore or delete the file"
            )
        kept = [row for row in _read_texts(path) if not is_of_part(_numbers(row))] if path.exists() else []
        rows = [*kept, *({name: _without_decimal_point(value) for name, value in row.items()} for row in rows)]
        names = list(dict.fromkeys(name for row in rows for name in row))
        _write_csv(path, [{name: row.get(name, "") for name in names} for row in rows])
        _write_provenance(path, sources, part)


def record_provenance(path: Path, *sources: FileIdentity) -> None:
    """Records the provenance of a table that other code wrote."""
    with _exclusive_lock(path.parent):
        _write_provenance(path, sources, "")


def file_identity(path: Path) -> FileIdentity:
    """The file's name and SHA-256."""
    return path.name, hashlib.sha256(path.read_bytes()).hexdigest()


def command_line() -> str:
    """The running command, without the options that do not change its result."""
    words, kept = iter(sys.argv[1:]), []
    for word in words:
        if word in OPTIONS_WITHOUT_EFFECT:
            next(words, None)
        else:
            kept.append(word)
    return " ".join(kept)


def _write_provenance(table: Path, sources: tuple[FileIdentity, ...], part: str) -> None:
    path = table.with_name(PROVENANCE)
    kept = _read_texts(path) if path.exists() else []
    kept = [row for row in kept if row["table"] != table.name or (row["file"] != table.name and row["part"] != part)]
    source_rows = [
        {"table": table.name, "part": part, "file": name, "sha256": sha256, "command": command_line()}
        for name, sha256 in sources
    ]
    name, sha256 = file_identity(table)
    table_row = {"table": name, "part": "", "file": name, "sha256": sha256, "command": ""}
    rows = sorted([*kept, *source_rows, table_row], key=lambda row: (row["table"], row["part"]))
    _write_csv(path, [{column: row.get(column, "") for column in table_row} for row in rows])


def _matches_provenance(table: Path) -> bool:
    """Whether the table is as a command wrote it."""
    path = table.with_name(PROVENANCE)
    recorded = {(row["file"], row["sha256"]) for row in _read_texts(path)} if path.exists() else set()
    return file_identity(table) in recorded


@contextmanager
def _exclusive_lock(folder: Path) -> Iterator[None]:
    """Lets only one command at a time write tables in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read_texts(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _write_csv(path: Path, rows: list[dict]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    partial.rename(path)


def _numbers(row: dict[str, str]) -> dict:
    return {name: _number(value) for name, value in row.items()}


def _number(text: str):
    try:
        return float(text)
    except ValueError:
        return text


def _without_decimal_point(value):
    """Whole numbers without a decimal point; other values unchanged."""
    return int(value) if isinstance(value, (bool, float)) and math.isfinite(value) and value == int(value) else value
