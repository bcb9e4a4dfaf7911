#!/usr/bin/env python3
"""Accuracy of one model by itself: on all 10,000 clean test images, and under PGD-20 on some of them.

    python models/evaluate/paper/alone.py --norm linf --robust models/cifar10/adversarial.toml   # alone.csv

Counts are of the answers that ONNX Runtime gives.
"""

import accuracy
import numpy as np
import runs
from models import to_floats
from runs import Run, Store
from tqdm import tqdm
from training import tables

CHUNK = 100


def main() -> None:
    options = runs.parser(__doc__, images=1000).parse_args()
    csv = options.out / f"{'-'.join(filter(None, ['alone', options.tag]))}.csv"
    run = runs.start(options)
    store = Store(run, "alone")
    rows = [
        {"images_of": "all, clean"} | accuracy.row(clean(run)),
        {"images_of": f"PGD-{options.steps}"} | accuracy.row(attacked(run, store)),
    ]
    rows = [row | run.described() for row in rows]
    tables.replace(csv, rows, lambda row: row["norm"] == run.norm, run.h.identity, part=run.norm)
    for row in rows:
        print(f"{run.h.name}, {row['images_of']}: {row['accuracy']} % of {row['images']} ({row['low']} to {row['high']})")
    runs.finished(store, csv)


def clean(run: Run) -> np.ndarray:
    return run.h.logits(to_floats(run.cifar10.test_images)).argmax(axis=1) == run.cifar10.test_labels


def attacked(run: Run, store: Store) -> np.ndarray:
    right = []
    for number, chunk in enumerate(tqdm(run.chunks(CHUNK), mininterval=2)):

        def answers(chunk: slice = chunk) -> dict:
            images, labels = run.images[chunk], run.labels[chunk]
            found = run.h.logits(run.attack(run.h.torch, images, labels).numpy())
            return {"right": found.argmax(axis=1) == labels.numpy()}

        right.append(store.get(f"{number:03}", answers)["right"])
    return np.concatenate(right)


if __name__ == "__main__":
    main()
