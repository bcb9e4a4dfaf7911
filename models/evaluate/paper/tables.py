"""CSV files that several runs write: each replaces its own rows and leaves the others as they were."""

import math
from collections.abc import Callable
from pathlib import Path

import accuracy


def replace(path: Path, rows: list[dict], own: Callable[[dict], bool]) -> None:
    """Rows may have columns of their own; where another row has none, its cell is empty."""
    kept = [row for row in accuracy.read(path) if not own(row)] if path.exists() else []
    rows = [*kept, *rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    accuracy.write(path, [{name: _plain(row.get(name, "")) for name in names} for row in rows])


def _plain(value):
    """Whole numbers without a point."""
    return int(value) if isinstance(value, (bool, float)) and math.isfinite(value) and value == int(value) else value
