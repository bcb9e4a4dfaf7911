"""Lets the tests import the checker and the rewriting, which are commands and no packages."""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path += [str(REPOSITORY / "models" / "evaluate"), str(REPOSITORY / "models" / "train")]
