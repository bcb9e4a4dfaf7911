"""Commands of `evaluate` that measure exported files and the answers of a running server."""

import argparse
from pathlib import Path

from certimix_models.command import Command
from certimix_models.evaluate.options import add_work_dir


def _add_accuracy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("manifests", type=Path, nargs="+", help="model manifests (.toml)")
    add_work_dir(parser)


ACCURACY = Command(
    name="accuracy",
    summary="accuracy of exported models on all test images, by ONNX Runtime",
    description="""
Measures the accuracy of exported models on the 10,000 test images, by ONNX Runtime on the ONNX
files. Writes docs/results/accuracy.csv, from which `report` writes the table of the model card.

  certimix_models evaluate accuracy models/cifar10/*.toml
""",
    module="certimix_models.onnx_accuracy",
    add_arguments=_add_accuracy_arguments,
)


def _add_served_accuracy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("predictions", type=Path, help="JSON lines of `certimix predict --json`")
    parser.add_argument("labels", type=Path, help="the labels that `dataset test-set` wrote")


SERVED_ACCURACY = Command(
    name="served-accuracy",
    summary="accuracy and certified accuracy of a running server's answers",
    description="""
Prints the clean accuracy of g, h and the mixture, and the share of images that is classified
correctly and certified, from the answers of a running server.

  certimix predict test.npy --batch 8 --deadline 60s --json > predictions.jsonl
  certimix_models evaluate served-accuracy predictions.jsonl test.labels.json
""",
    module="certimix_models.evaluate.served_accuracy",
    add_arguments=_add_served_accuracy_arguments,
)


def _add_votes_to_decide_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("decisions", type=Path, help="JSON lines of `certimix certify --target-radius ... --json`")


VOTES_TO_DECIDE = Command(
    name="votes-to-decide",
    summary="votes that a running server drew to decide a target radius",
    description="""
Prints how many votes decided whether the target radius holds, beside a fixed 100,000.

  certimix certify test500.npy --target-radius 0.25 --votes 100000 --json > decided.jsonl
  certimix_models evaluate votes-to-decide decided.jsonl
""",
    module="certimix_models.evaluate.votes_to_decide",
    add_arguments=_add_votes_to_decide_arguments,
)
