"""The CSV tables of docs/results, and `provenance.csv` beside them, which says what each was computed from.

Several commands write there, some of them parts of one table. `models/evaluate/paper/report.py --check`, a test, fails while a table is
not as its command left it, or is of a file that is not the one of today: a number never outlives its model.
"""

import csv
import fcntl
import hashlib
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROVENANCE = "provenance.csv"


def read(path: Path) -> list[dict]:
    """Numbers become numbers."""
    with path.open(newline="") as file:
        return [{name: _number(value) for name, value in line.items()} for line in csv.DictReader(file)]


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def replace(path: Path, rows: list[dict], own: Callable[[dict], bool]) -> None:
    """Puts these rows in the place of a run's own and leaves the others as they were. Rows may have columns of their own; where
    another row has none, its cell is empty."""
    with _alone(path.parent):
        kept = [row for row in read(path) if not own(row)] if path.exists() else []
        rows = [*kept, *rows]
        names = list(dict.fromkeys(name for row in rows for name in row))
        write(path, [{name: _plain(row.get(name, "")) for name in names} for row in rows])


def identity(path: Path) -> tuple[str, str]:
    """A file's name and sha256."""
    return path.name, hashlib.sha256(path.read_bytes()).hexdigest()


def record(table: Path, *used: tuple[str, str], part: str = "") -> None:
    """Of `table`, once its rows are written, or of the part of it that one run replaces: the identities of the files that it was
    computed from, and its own."""
    rows = [{"table": table.name, "part": part, "file": name, "sha256": sha256} for name, sha256 in used]
    name, sha256 = identity(table)
    rows.append({"table": name, "part": "", "file": name, "sha256": sha256})

    def own(row: dict) -> bool:
        return row["table"] == table.name and (row["file"] == table.name or row["part"] == part)

    replace(table.with_name(PROVENANCE), rows, own)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Of all commands that replace rows of tables in this folder, one at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _number(text: str):
    try:
        return float(text)
    except ValueError:
        return text


def _plain(value):
    """Whole numbers without a point."""
    return int(value) if isinstance(value, (bool, float)) and math.isfinite(value) and value == int(value) else value
