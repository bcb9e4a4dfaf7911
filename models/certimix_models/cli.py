"""The command line: parses the arguments and runs the chosen command."""

import argparse

from certimix_models.dataset.commands import DATASET
from certimix_models.evaluate.commands import EVALUATE
from certimix_models.float64_command import REWRITE_FLOAT64
from certimix_models.prove.command import PROVE
from certimix_models.train.command import TRAIN

DESCRIPTION = """\
Trains, proves and evaluates the models that Certimix serves.

  train             trains a bundled model and exports it to ONNX           (needs PyTorch)
  prove             proves a network's Lipschitz constant from its file     (needs NumPy, ONNX)
  evaluate          measures accuracy and votes, runs the paper's experiments
  dataset           writes CIFAR-10's test images as files
  rewrite-float64   rewrites a network so that it computes in float64

Run the commands from the root of the repository, with `models` on PYTHONPATH:

  PYTHONPATH=models python3 -m certimix_models prove models/cifar10/lipschitz.toml

Each command imports only the packages that it needs; models/README.md lists them.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="certimix_models", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subcommands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (TRAIN, PROVE, EVALUATE, DATASET, REWRITE_FLOAT64):
        command.add_to(subcommands)
    return parser


def main() -> None:
    options = build_parser().parse_args()
    options.command.run(options)
