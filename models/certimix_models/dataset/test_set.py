#!/usr/bin/env python3
"""Writes CIFAR-10's test set as one .npy file for `certimix predict` and `certify`, and its labels beside it.

    python3 models/evaluate/test_set.py .cache/test.npy [--every 20] [--work-dir .cache/train]
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "train"))
import data  # noqa: E402  (it stands with the training, which needs it first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("npy", type=Path)
    parser.add_argument("--every", type=int, default=1, help="every n-th image, from the first")
    parser.add_argument("--work-dir", type=Path, default=data.DEFAULT_WORK_DIR)
    options = parser.parse_args()
    cifar10 = data.load(options.work_dir)
    options.npy.parent.mkdir(parents=True, exist_ok=True)
    np.save(options.npy, cifar10.test_images[:: options.every])
    labels = [data.LABELS[label] for label in cifar10.test_labels[:: options.every]]
    options.npy.with_suffix(".labels.json").write_text(json.dumps(labels))
    print(f"{len(labels)} images in {options.npy}")


if __name__ == "__main__":
    main()
