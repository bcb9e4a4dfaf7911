"""The two mixtures that the attacks compare: the paper's and the gated one, each with the setting that
`choose-setting` found for the same clean accuracy.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn
from tqdm import tqdm

from certimix_models import result_tables
from certimix_models.dataset.cifar10 import load_cifar10
from certimix_models.evaluate.experiments.result_cache import RowCache
from certimix_models.evaluate.mathematics import certificate_formulas
from certimix_models.evaluate.networks.bundled_model import BundledModel, TemperatureScaled, pixels_to_floats
from certimix_models.evaluate.networks.cached_logits import split_halves

SETTINGS = "setting.csv"
SETTING_RADIUS = 0.1412  # the rows of SETTINGS that were chosen for 36/255


@dataclass(frozen=True)
class ComparedMixture:
    """A mixture of g and h with its settings."""

    rule: str
    g: BundledModel
    h: BundledModel
    alpha: float
    temperature: float
    fallback_alpha: float

    def settings(self) -> dict:
        """The settings, as columns of a table."""
        return {
            "rule": self.rule,
            "alpha": self.alpha,
            "robust_temperature": self.temperature,
            "fallback_alpha": self.fallback_alpha,
        }

    def tempered_h(self) -> nn.Module:
        """h in torch, with its temperature."""
        return TemperatureScaled(self.h.torch_module, self.temperature)

    def classes(self, logits_g: np.ndarray, logits_h: np.ndarray) -> np.ndarray:
        """The classes, mixed in float64 from logits of ONNX Runtime."""
        log_g = certificate_formulas.log_probabilities(logits_g)
        log_h = certificate_formulas.log_probabilities(logits_h, self.temperature)
        mixed = certificate_formulas.log_gated_mixture(self.alpha, self.fallback_alpha, log_g, log_h)
        return mixed.argmax(axis=1)

    def is_right(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Whether each image gets its label."""
        return self.classes(self.g.logits(images), self.h.logits(images)) == labels

    def certified_label_radii(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The radius where the certified class is the label, else 0."""
        logits = self.h.logits(images)
        radii = certificate_formulas.logit_radius(
            self.alpha, logits, self.temperature, self.h.manifest["guarantee"]
        ).clip(0)
        return np.where(logits.argmax(axis=1) == labels, radii, 0.0)


def load_compared_mixtures(options: argparse.Namespace, g: BundledModel, h: BundledModel) -> list[ComparedMixture]:
    """The paper's mixture and the gated one at the level of clean accuracy that the options name."""
    rows = {
        row["rule"]: row
        for row in result_tables.read(options.out / SETTINGS)
        if (row["radius"], row["level"]) == (SETTING_RADIUS, options.level)
    }
    if not rows:
        raise SystemExit(f"{SETTINGS} has no setting for --level {options.level}: run `choose-setting` first")
    return [
        ComparedMixture(rule, g, h, rows[rule]["alpha"], rows[rule]["robust_temperature"], rows[rule]["fallback_alpha"])
        for rule in ("paper", "gated")
    ]


def reported_images(count: int, total: int) -> np.ndarray:
    """The first so many test images of a fixed random order of those that did not choose the
    settings. More images begin with the same ones, so that their raw results serve again.
    """
    return np.random.default_rng(0).permutation(split_halves(total)[1])[:count]


def attack_reported_images(
    options: argparse.Namespace,
    cache: RowCache,
    chunk_images: int,
    attack_chunk: Callable[[np.ndarray, np.ndarray, np.ndarray], list[dict]],
) -> list[dict]:
    """The rows of `attack_chunk(images, labels, indices)` over the reported images, in chunks whose
    rows survive a restart.
    """
    cifar10 = load_cifar10(options.work_dir)
    selected = reported_images(options.images, len(cifar10.test_labels))
    rows = []
    with tqdm(total=len(selected), unit="image") as progress:
        for start in range(0, len(selected), chunk_images):
            part = selected[start : start + chunk_images]
            images, labels = pixels_to_floats(cifar10.test_images[part]), cifar10.test_labels[part].astype(np.int64)
            rows += cache.get(f"{start:05}", lambda x=images, y=labels, part=part: attack_chunk(x, y, part))
            progress.update(len(part))
    print(cache.time_taken())
    return rows
