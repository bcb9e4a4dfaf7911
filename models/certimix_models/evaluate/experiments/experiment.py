"""The parts that the experiments share: the models, the test images, and results that survive a
restart.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from certimix_models.dataset.cifar10 import Cifar10, load_cifar10
from certimix_models.evaluate.attacks.pgd import DEFAULT_EPSILON, pgd_attack
from certimix_models.evaluate.defaults import TEMPERATURE
from certimix_models.evaluate.experiments.result_cache import settings_folder
from certimix_models.evaluate.networks.bundled_model import BundledModel, load_model, pixels_to_floats
from certimix_models.repository import BUNDLED_MODELS

DEFAULT_ROBUST_MODEL = {"linf": "adversarial", "l2": "lipschitz"}  # the model that was made for the norm


def evenly_spaced(images: int, cifar10: Cifar10) -> np.ndarray:
    """The indices of so many test images, evenly spaced."""
    return np.arange(images) * len(cifar10.test_labels) // images


def output_paths(options: argparse.Namespace, name: str) -> tuple[Path, Path]:
    """The CSV file and the figure."""
    stem = "-".join(filter(None, [name, options.norm, options.tag]))
    return options.out / f"{stem}.csv", options.out / f"{stem}.png"


@dataclass(frozen=True)
class ExperimentRun:
    """Both models, the chosen images, and the attack."""

    options: argparse.Namespace
    g: BundledModel
    h: BundledModel
    images: torch.Tensor  # float32 in [0, 1]
    labels: torch.Tensor
    cifar10: Cifar10
    norm: str
    epsilon: float

    def slices(self, size: int) -> list[slice]:
        return [slice(start, start + size) for start in range(0, len(self.labels), size)]

    def attack(self, function: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return pgd_attack(function, images, labels, self.norm, self.epsilon, self.options.steps)

    def description_columns(self) -> dict:
        """The columns that describe what a table is about."""
        return {
            "norm": self.norm,
            "epsilon": f"{self.epsilon:.6g}",
            "standard": self.g.name,
            "robust": self.h.name,
            "temperature": f"{self.h.temperature:g}",
        }


def start_run(options: argparse.Namespace) -> ExperimentRun:
    """Loads the models and the images that the options name."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    robust = options.robust or BUNDLED_MODELS / f"{DEFAULT_ROBUST_MODEL[options.norm]}.toml"
    cifar10 = load_cifar10(options.work_dir)
    indices = evenly_spaced(options.images, cifar10)
    return ExperimentRun(
        options=options,
        g=load_model(options.standard, options.threads),
        h=load_model(robust, options.threads, options.temperature or TEMPERATURE[options.norm]),
        images=torch.from_numpy(pixels_to_floats(cifar10.test_images[indices])),
        labels=torch.from_numpy(cifar10.test_labels[indices].astype(np.int64)),
        cifar10=cifar10,
        norm=options.norm,
        epsilon=options.epsilon or DEFAULT_EPSILON[options.norm],
    )


class ArrayCache:
    """Named arrays in files of their own, so that a run that starts again computes only what is
    missing.

    The folder's name is a hash of all settings. Results of other settings, or of other models, are
    never mixed in.
    """

    def __init__(self, run: ExperimentRun, name: str, **settings):
        settings |= run.description_columns() | {
            "models": [run.g.sha256, run.h.sha256],
            "images": len(run.labels),
            "steps": run.options.steps,
            "seed": run.options.seed,
        }
        self.folder = settings_folder(run.options.results_dir / name, settings)

    def get(self, name: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The arrays with that name, from their file or else from `compute`."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            started = time.process_time()
            arrays = compute()
            partial = path.with_suffix(".partial")
            with partial.open("wb") as file:
                np.savez(file, **arrays, seconds=time.process_time() - started)
            partial.rename(path)
        with np.load(path) as stored:
            return {key: stored[key] for key in stored.files}

    def minutes(self) -> float:
        """Processor time over all starts."""
        return sum(float(np.load(path)["seconds"]) for path in self.folder.glob("*.npz")) / 60


def print_completion(cache: ArrayCache, *paths: Path) -> None:
    """Prints the time taken and the files that were written."""
    print(f"{cache.minutes():.1f} minutes of processor time; wrote {', '.join(map(str, paths))}")
