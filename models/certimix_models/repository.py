"""Paths of the files in this repository."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BUNDLED_MODELS = REPOSITORY / "models" / "cifar10"
RESULTS = REPOSITORY / "docs" / "results"
DEFAULT_WORK_DIR = REPOSITORY / ".cache" / "train"  # the data set and the checkpoints
DEFAULT_RESULT_CACHE = REPOSITORY / ".cache" / "results"  # raw results of the experiments
