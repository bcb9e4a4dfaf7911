"""Accuracy of the robust model without a mixture: on all clean test images, and under PGD-20 on
some of them. Writes alone.csv.
"""

import argparse

import numpy as np
from tqdm import tqdm

from certimix_models import result_tables
from certimix_models.evaluate.experiments import experiment
from certimix_models.evaluate.experiments.experiment import ArrayCache, ExperimentRun
from certimix_models.evaluate.mathematics.accuracy_interval import accuracy_columns
from certimix_models.evaluate.networks.bundled_model import pixels_to_floats

CHUNK_IMAGES = 100


def run(options: argparse.Namespace) -> None:
    csv = options.out / f"{'-'.join(filter(None, ['alone', options.tag]))}.csv"
    experiment_run = experiment.start_run(options)
    cache = ArrayCache(experiment_run, "alone")
    rows = [
        {"images_of": "all, clean"} | accuracy_columns(clean_accuracy(experiment_run)),
        {"images_of": f"PGD-{options.steps}"} | accuracy_columns(attacked_accuracy(experiment_run, cache)),
    ]
    rows = [row | experiment_run.description_columns() for row in rows]
    result_tables.replace_part(
        csv, rows, lambda row: row["norm"] == experiment_run.norm, experiment_run.h.identity, part=experiment_run.norm
    )
    for row in rows:
        print(
            f"{experiment_run.h.name}, {row['images_of']}: {row['accuracy']} % of {row['images']} ({row['low']} to {row['high']})"
        )
    experiment.print_completion(cache, csv)


def clean_accuracy(experiment_run: ExperimentRun) -> np.ndarray:
    """Whether each of all clean test images is classified correctly."""
    return (
        experiment_run.h.logits(pixels_to_floats(experiment_run.cifar10.test_images)).argmax(axis=1)
        == experiment_run.cifar10.test_labels
    )


def attacked_accuracy(experiment_run: ExperimentRun, cache: ArrayCache) -> np.ndarray:
    """Whether each chosen image is classified correctly under PGD."""
    correct = []
    for number, chunk in enumerate(tqdm(experiment_run.slices(CHUNK_IMAGES), mininterval=2)):

        def attack_chunk(chunk: slice = chunk) -> dict:
            images, labels = experiment_run.images[chunk], experiment_run.labels[chunk]
            logits = experiment_run.h.logits(
                experiment_run.attack(experiment_run.h.torch_module, images, labels).numpy()
            )
            return {"right": logits.argmax(axis=1) == labels.numpy()}

        correct.append(cache.get(f"{number:03}", attack_chunk)["right"])
    return np.concatenate(correct)
