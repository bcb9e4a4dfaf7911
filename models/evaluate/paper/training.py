"""Makes importable what stands with the training, which needs it first: the data set, and the tables of docs/results."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "train"))
import data  # noqa: E402
import tables  # noqa: E402

__all__ = ["data", "tables"]
