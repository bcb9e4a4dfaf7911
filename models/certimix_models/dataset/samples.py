"""Writes the test images that are committed beside the models, for tests, examples and the README.

- `samples/`: every 500th test image as `<index>-<label>.png`, and `labels.csv`.
- `test_100.png`: every 100th test image, one row an image (the format of the original files), `test_100_labels.json`.

The output is the same bytes on every run.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from data import DEFAULT_WORK_DIR, LABELS, REPOSITORY, Cifar10, load

OUTPUT = REPOSITORY / "models" / "cifar10"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, default=DEFAULT_WORK_DIR, help="where the data set is cached")
    data = load(parser.parse_args().work_dir)
    write_samples(data, range(0, 10_000, 500))
    write_rows(data, range(0, 10_000, 100))


def write_samples(data: Cifar10, indices: range) -> None:
    folder = OUTPUT / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "labels.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "label"])
        for index in indices:
            label = LABELS[data.test_labels[index]]
            name = f"{index:04d}-{label}.png"
            Image.fromarray(data.test_images[index].transpose(1, 2, 0)).save(folder / name, optimize=True)
            table.writerow([name, label])


def write_rows(data: Cifar10, indices: range) -> None:
    rows = data.test_images[indices].transpose(0, 2, 3, 1).reshape(len(indices), 1024, 3)
    Image.fromarray(np.ascontiguousarray(rows)).save(OUTPUT / f"test_{len(indices)}.png", optimize=True)
    labels = [int(label) for label in data.test_labels[indices]]
    (OUTPUT / f"test_{len(indices)}_labels.json").write_text(json.dumps(labels) + "\n")


if __name__ == "__main__":
    main()
