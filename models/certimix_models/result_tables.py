"""The CSV tables of docs/results, and `provenance.csv` beside them: of each table the command that wrote it, the files that it was
computed from, and its own sha256.

Several commands write there, some of them a part of a table each. `models/evaluate/paper/report.py --check`, a test, fails while a table
is not as its command left it, or was computed from files that are not those of today.
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
# Options, of one value each, that change where or how fast a command works, and not what it finds.
NOT_SETTINGS = {"--threads", "--shard", "--work-dir", "--results-dir", "--out", "--results", "--cache"}

Identity = tuple[str, str]  # a file's name and sha256


def read(path: Path) -> list[dict]:
    """Numbers become numbers."""
    return [_numbers(row) for row in _read_texts(path)]


def write(path: Path, rows: list[dict], *used: Identity) -> None:
    """The whole table, computed from these files."""
    with _alone(path.parent):
        _write(path, rows)
        _record(path, used, "")


def replace(path: Path, rows: list[dict], own: Callable[[dict], bool], *used: Identity, part: str) -> None:
    """Puts rows in the place of one part's own, computed from these files, and leaves the others as they were. Rows may have columns of
    their own; where another row has none, its cell is empty."""
    with _alone(path.parent):
        if path.exists() and not _as_recorded(path):
            sys.exit(f"{path} was changed since a command wrote it, and this one writes only a part of it: restore or delete it")
        kept = [row for row in _read_texts(path) if not own(_numbers(row))] if path.exists() else []
        rows = [*kept, *({name: _plain(value) for name, value in row.items()} for row in rows)]
        names = list(dict.fromkeys(name for row in rows for name in row))
        _write(path, [{name: row.get(name, "") for name in names} for row in rows])
        _record(path, used, part)


def record(path: Path, *used: Identity) -> None:
    """Of a table that was written by other means."""
    with _alone(path.parent):
        _record(path, used, "")


def identity(path: Path) -> Identity:
    return path.name, hashlib.sha256(path.read_bytes()).hexdigest()


def command() -> str:
    """The command that is running, without the options that change nothing of what it finds."""
    words, kept = iter(sys.argv[1:]), []
    for word in words:
        if word in NOT_SETTINGS:
            next(words, None)
        else:
            kept.append(word)
    return " ".join([Path(sys.argv[0]).name, *kept])


def _record(table: Path, used: tuple[Identity, ...], part: str) -> None:
    path = table.with_name(PROVENANCE)
    kept = _read_texts(path) if path.exists() else []
    kept = [row for row in kept if row["table"] != table.name or (row["file"] != table.name and row["part"] != part)]
    fresh = [{"table": table.name, "part": part, "file": name, "sha256": sha256, "command": command()} for name, sha256 in used]
    name, sha256 = identity(table)
    own = {"table": name, "part": "", "file": name, "sha256": sha256, "command": ""}
    rows = sorted([*kept, *fresh, own], key=lambda row: (row["table"], row["part"]))
    _write(path, [{column: row.get(column, "") for column in own} for row in rows])


def _as_recorded(table: Path) -> bool:
    path = table.with_name(PROVENANCE)
    recorded = {(row["file"], row["sha256"]) for row in _read_texts(path)} if path.exists() else set()
    return identity(table) in recorded


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Of all commands that write tables in this folder, one at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _read_texts(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[dict]) -> None:
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


def _plain(value):
    """Whole numbers without a point."""
    return int(value) if isinstance(value, (bool, float)) and math.isfinite(value) and value == int(value) else value
