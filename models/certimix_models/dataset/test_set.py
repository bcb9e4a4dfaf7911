"""Writes CIFAR-10's test images as one .npy file, and their labels beside it."""

import argparse
import json

import numpy as np

from certimix_models.dataset.cifar10 import LABELS, load_cifar10


def run(options: argparse.Namespace) -> None:
    cifar10 = load_cifar10(options.work_dir)
    options.npy.parent.mkdir(parents=True, exist_ok=True)
    np.save(options.npy, cifar10.test_images[:: options.every])
    labels = [LABELS[label] for label in cifar10.test_labels[:: options.every]]
    options.npy.with_suffix(".labels.json").write_text(json.dumps(labels))
    print(f"{len(labels)} images in {options.npy}")
