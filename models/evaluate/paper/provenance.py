"""Which model files each table of docs/results was computed from: models.csv beside them.

`report.py --check`, a test, fails while one of these files is no longer the bundled one: a number never outlives its model.
"""

from pathlib import Path

import tables


def record(table: Path, *used: tuple[str, str]) -> None:
    """Of `table`, a CSV file, and of each model used its name and sha256; one that stands there already is replaced."""
    rows = [{"table": table.name, "model": name, "sha256": sha256} for name, sha256 in used]
    fresh = {(row["table"], row["model"]) for row in rows}
    tables.replace(table.with_name("models.csv"), rows, lambda row: (row["table"], row["model"]) in fresh)
