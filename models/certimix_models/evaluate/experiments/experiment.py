"""What the experiments have in common: options, the test images, results that survive a restart, and the time taken."""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import attacks
import chunks
import models
import numpy as np
import torch
from training import data


BUNDLED = data.REPOSITORY / "models" / "cifar10"
TEMPERATURE = {"linf": 1.0, "l2": 0.2}  # the Lipschitz network's logits are close together
ROBUST = {"linf": "adversarial", "l2": "lipschitz"}  # the one that was made for the norm


def base_parser(description: str) -> argparse.ArgumentParser:
    """What every experiment takes."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--standard", type=Path, default=BUNDLED / "standard.toml")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--work-dir", type=Path, default=data.DEFAULT_WORK_DIR, help="where the data set is cached")
    options.add_argument("--results-dir", type=Path, default=data.REPOSITORY / ".cache" / "results", help="raw results")
    options.add_argument("--out", type=Path, default=data.REPOSITORY / "docs" / "results", help="the CSV file and the figure")
    options.add_argument("--plot-only", action="store_true", help="draw the figure again from the CSV file")
    return options


def parser(description: str, images: int) -> argparse.ArgumentParser:
    options = base_parser(description)
    options.add_argument("--norm", choices=["linf", "l2"], default="linf", help="of the attack (default: linf)")
    options.add_argument("--epsilon", type=float, help="its radius (default: 8/255, 0.5)")
    options.add_argument("--robust", type=Path, help="default: adversarial.toml, in l2 lipschitz.toml")
    options.add_argument("--temperature", type=float, help="h is softmax(z / temperature) (default: 1, in l2 0.2)")
    options.add_argument(
        "--images", type=int, default=images, help=f"evenly spaced in the test set (default: {images})"
    )
    options.add_argument("--steps", type=int, default=attacks.STEPS, help="of PGD")
    options.add_argument("--tag", default="", help="added to the names of the two files, for a run at other settings")
    return options


def evenly(images: int, cifar10: data.Cifar10) -> np.ndarray:
    """The indices of so many test images, evenly spaced."""
    return np.arange(images) * len(cifar10.test_labels) // images


def outputs(options: argparse.Namespace, name: str) -> tuple[Path, Path]:
    """The CSV file and the figure."""
    stem = "-".join(filter(None, [name, options.norm, options.tag]))
    return options.out / f"{stem}.csv", options.out / f"{stem}.png"


@dataclass(frozen=True)
class Run:
    """Both models, the images that are asked for, and where results are kept."""

    options: argparse.Namespace
    g: models.Model
    h: models.Model
    images: torch.Tensor  # float32 in [0, 1]
    labels: torch.Tensor
    cifar10: data.Cifar10
    norm: str
    epsilon: float

    def chunks(self, size: int) -> list[slice]:
        return [slice(start, start + size) for start in range(0, len(self.labels), size)]

    def attack(self, function: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return attacks.pgd(function, images, labels, self.norm, self.epsilon, self.options.steps)

    def described(self) -> dict:
        """The columns that say what a table is about."""
        return {
            "norm": self.norm,
            "epsilon": f"{self.epsilon:.6g}",
            "standard": self.g.name,
            "robust": self.h.name,
            "temperature": f"{self.h.temperature:g}",
        }


def start(options: argparse.Namespace) -> Run:
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    robust = options.robust or BUNDLED / f"{ROBUST[options.norm]}.toml"
    cifar10 = data.load(options.work_dir)
    chosen = evenly(options.images, cifar10)
    return Run(
        options=options,
        g=models.load(options.standard, options.threads),
        h=models.load(robust, options.threads, options.temperature or TEMPERATURE[options.norm]),
        images=torch.from_numpy(models.to_floats(cifar10.test_images[chosen])),
        labels=torch.from_numpy(cifar10.test_labels[chosen].astype(np.int64)),
        cifar10=cifar10,
        norm=options.norm,
        epsilon=options.epsilon or attacks.EPSILON[options.norm],
    )


class Store:
    """Named arrays in files of their own, so that a run that is started again does only what is missing.

    The folder's name is a hash of all settings: results of other settings, or of other models, are never mixed in.
    """

    def __init__(self, run: Run, experiment: str, **settings):
        settings |= run.described() | {
            "models": [run.g.sha256, run.h.sha256],
            "images": len(run.labels),
            "steps": run.options.steps,
            "seed": run.options.seed,
        }
        self.folder = chunks.folder_for(run.options.results_dir / experiment, settings)

    def get(self, name: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        path = self.folder / f"{name}.npz"
        if not path.exists():
            begun = time.process_time()
            arrays = compute()
            partial = path.with_suffix(".partial")
            with partial.open("wb") as file:
                np.savez(file, **arrays, seconds=time.process_time() - begun)
            partial.rename(path)
        with np.load(path) as stored:
            return {key: stored[key] for key in stored.files}

    def minutes(self) -> float:
        """Of the processor, over all starts."""
        return sum(float(np.load(path)["seconds"]) for path in self.folder.glob("*.npz")) / 60


def finished(store: Store, *paths: Path) -> None:
    print(f"{store.minutes():.1f} minutes of processor time; wrote {', '.join(map(str, paths))}")
