"""Which model files each table of docs/results was computed from: models.csv beside them.

`report.py --check`, a test, fails while one of these files is no longer the bundled one: a number never outlives its model.
"""

from pathlib import Path

import tables


def record(table: Path, *used: tuple[str, str], part: str = "") -> None:
    """Of `table`, a CSV file, or of the part of it that one run replaces: the models that were used, by name and sha256."""
    rows = [{"table": table.name, "part": part, "model": name, "sha256": sha256} for name, sha256 in used]
    tables.replace(table.with_name("models.csv"), rows, lambda row: (row["table"], row["part"]) == (table.name, part))
