"""The command `train`."""

import argparse
from pathlib import Path

from certimix_models.command import Command
from certimix_models.repository import DEFAULT_WORK_DIR
from certimix_models.train.model_summaries import MODEL_SUMMARIES


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", choices=MODEL_SUMMARIES, help="the model to train")
    parser.add_argument("--seed", type=int, default=1, help="seed of the weights and the batches (default: 1)")
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="threads of PyTorch (default: 1, so that 2 cores can train two models at once)",
    )
    parser.add_argument(
        "--work-dir", type=Path, default=DEFAULT_WORK_DIR, help="folder of the data set and the checkpoints"
    )


TRAIN = Command(
    name="train",
    summary="train a CIFAR-10 model and export it to ONNX",
    description="""
Trains one of the CIFAR-10 models, exports it to ONNX with its manifest, and measures the
accuracy of the exported file.

  certimix_models train standard
  certimix_models train smoothed-025

Writes models/cifar10/MODEL.onnx and MODEL.toml. A training that is stopped continues after its
last complete epoch when the command runs again. The seeds are fixed: two runs on the same
processor with the same number of threads give the same weights.

models:
"""
    + "".join(f"  {name:<14} {summary}\n" for name, summary in MODEL_SUMMARIES.items()),
    module="certimix_models.train.training",
    add_arguments=_add_arguments,
)
