"""Writes the sample images that are committed beside the models. Each run writes the same bytes."""

import argparse
import csv
import json

import numpy as np
from PIL import Image

from certimix_models.dataset.cifar10 import LABELS, Cifar10, load_cifar10
from certimix_models.repository import BUNDLED_MODELS


def run(options: argparse.Namespace) -> None:
    cifar10 = load_cifar10(options.work_dir)
    write_samples(cifar10, range(0, 10_000, 500))
    write_rows(cifar10, range(0, 10_000, 100))


def write_samples(cifar10: Cifar10, indices: range) -> None:
    """Writes each image as `samples/<index>-<label>.png`, and `samples/labels.csv`."""
    folder = BUNDLED_MODELS / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "labels.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "label"])
        for index in indices:
            label = LABELS[cifar10.test_labels[index]]
            name = f"{index:04d}-{label}.png"
            Image.fromarray(cifar10.test_images[index].transpose(1, 2, 0)).save(folder / name, optimize=True)
            table.writerow([name, label])


def write_rows(cifar10: Cifar10, indices: range) -> None:
    """Writes the images as one PNG file, one row for each image, as in the original files, and
    their labels as JSON.
    """
    rows = cifar10.test_images[indices].transpose(0, 2, 3, 1).reshape(len(indices), 1024, 3)
    Image.fromarray(np.ascontiguousarray(rows)).save(BUNDLED_MODELS / f"test_{len(indices)}.png", optimize=True)
    labels = [int(label) for label in cifar10.test_labels[indices]]
    (BUNDLED_MODELS / f"test_{len(indices)}_labels.json").write_text(json.dumps(labels) + "\n")
