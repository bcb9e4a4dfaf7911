"""Certified accuracy against radius of the mixture, by each certificate and both rules for the weight
of h, at matched clean accuracy (Fig. 3 of the paper, and more).

With a Lipschitz h, half of the test set chooses the settings and the other half is reported. With a
smoothed h, all images that have votes are reported: only alpha is chosen, by the clean accuracy.
"""

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from scipy.stats import norm
from tqdm import tqdm

from certimix_models import result_tables
from certimix_models.dataset.cifar10 import load_cifar10
from certimix_models.evaluate.experiments.certified_curves_figure import draw_figure
from certimix_models.evaluate.mathematics import mixture_radii
from certimix_models.evaluate.mathematics.confidence_bounds import anytime_lower_bound
from certimix_models.evaluate.networks.bundled_model import BundledModel, load_model
from certimix_models.evaluate.networks.cached_logits import cached_logits, split_halves
from certimix_models.evaluate.smoothed_votes.certified_accuracy import certified_radii
from certimix_models.evaluate.smoothed_votes.vote_records import VoteRecord, read_votes

COMPARED_RADIUS = 36 / 255  # at which the settings are compared
RADIUS_GRID = np.round(np.linspace(0, 0.95, 96), 4)
ALPHAS = np.concatenate([np.arange(0.5, 1.0, 0.01), [0.995, 0.999]])[1:]
TEMPERATURES = np.geomspace(0.002, 10.0, 60)
ACCURACY_TOLERANCE = 0.005
RULES = ("paper", "gated")  # fallback_alpha is alpha, or 0


@dataclass(frozen=True)
class CertifiedCurve:
    """The radii of the reported images, with the settings of the mixture."""

    level: float  # the wanted clean accuracy; 0 for h alone
    robust: str
    certificate: str
    rule: str  # one of RULES; empty for h alone
    alpha: float
    temperature: float
    clean: float
    radii: np.ndarray  # one for each reported image; 0 where the certified class is wrong
    # the radius up to which the curve is known, because no votes were drawn for more
    known_up_to: float = RADIUS_GRID[-1]
    unreachable_beyond: float = math.inf  # no number of votes certifies beyond this
    # the radii if the shares of the votes were the probabilities themselves: no certificates
    by_shares: np.ndarray | None = None

    def rows(self) -> Iterator[dict]:
        """The rows of the CSV file: one for each radius at which the curve is known."""
        settings = {
            "level": f"{self.level:.4g}",
            "robust": self.robust,
            "certificate": self.certificate,
            "rule": self.rule,
            "alpha": f"{self.alpha:.3f}",
        }
        settings |= {
            "robust_temperature": f"{self.temperature:.4g}",
            "clean_accuracy": f"{self.clean:.4f}",
            "images": len(self.radii),
        }
        counted = {"certified": self.radii, "by_shares": self.by_shares}
        for radius in RADIUS_GRID[(self.known_up_to >= RADIUS_GRID) | (self.unreachable_beyond < RADIUS_GRID)]:
            yield (
                settings
                | {"radius": f"{radius:g}"}
                | {name: count_reaching(radii, radius) for name, radii in counted.items()}
            )


def count_reaching(radii_found: np.ndarray | None, radius: float) -> int | str:
    """How many radii are at least `radius` and above 0; empty if there are none to count."""
    return "" if radii_found is None else int(((radii_found >= radius) & (radii_found > 0)).sum())


def run(options: argparse.Namespace) -> None:
    started = time.monotonic()
    if not options.plot_only:
        measure(options)
    draw_figure(options.results)
    print(f"took {(time.monotonic() - started) / 60:.1f} minutes")


def measure(options: argparse.Namespace) -> None:
    """Measures the curves and writes the CSV file."""
    cifar10 = load_cifar10(options.work_dir)
    standard = load_model(options.standard, threads=options.threads)
    network = load_model(options.lipschitz, threads=options.threads)
    curves = smoothed_curves(options, cifar10, standard, *read_votes(options.votes), options.levels)
    curves += lipschitz_curves(options, cifar10, standard, network)
    curves += smoothed_curves(options, cifar10, standard, *read_votes(options.wider_votes), [curves[0].clean])
    sources = [
        standard.identity,
        network.identity,
        result_tables.file_identity(options.votes),
        result_tables.file_identity(options.wider_votes),
    ]
    result_tables.write(options.results / "fig3.csv", [row for curve in curves for row in curve.rows()], *sources)


def answered_classes(rule: str, alpha: float, standard: np.ndarray, robust: np.ndarray) -> np.ndarray:
    """The classes of the mixtures with this rule."""
    return mixture_radii.gated_classes(alpha, alpha if rule == "paper" else 0.0, standard, robust)


def smoothed_curves(
    options: argparse.Namespace,
    cifar10,
    standard: BundledModel,
    vote_settings: dict[str, str],
    records: list[VoteRecord],
    levels: list[float],
) -> list[CertifiedCurve]:
    """The curve of h alone, then those of the mixtures at these levels of clean accuracy."""
    sigma, failure = float(vote_settings["sigma"]), float(vote_settings["failure_probability"])
    labels, selected = (
        np.array([record.label for record in records]),
        np.array([record.selected for record in records]),
    )
    lower = np.array([anytime_lower_bound(record.votes_for_class, record.votes, failure) for record in records])
    share = np.array([record.votes_for_class / record.votes if record.votes else 0.0 for record in records])
    lower, share = (np.where(selected == labels, radii, 0.0) for radii in (lower, share))
    robust = np.array([record.counts for record in records], dtype=np.float64)
    robust /= robust.sum(axis=1, keepdims=True)
    g = softmax(cached_logits(standard, cifar10, [record.image for record in records], options.cache), axis=1)
    name = f"smoothed, sigma {sigma:g}"

    def clean(rule: str, alpha: float) -> float:
        return float((answered_classes(rule, alpha, g, robust) == labels).mean())

    robust_alone = np.maximum(certified_radii(vote_settings, records), 0)
    largest_goal = max(map(float, vote_settings["radii"].split(",")))
    curves = [
        CertifiedCurve(
            0,
            name,
            "alone",
            "",
            1.0,
            1.0,
            clean("paper", 1.0),
            robust_alone,
            largest_goal,
            by_shares=np.maximum(sigma * norm.ppf(share), 0),
        )
    ]
    variants = [
        ("gated", "tight", mixture_radii.tight_radii),
        ("paper", "tight", mixture_radii.tight_radii),
        ("paper", "Theorem 2", mixture_radii.theorem2_radii),
        ("paper", "Theorem 1", mixture_radii.theorem1_smoothed_radii),
    ]
    # The votes were drawn to raise a lower bound to at most this.
    largest_intended_bound = norm.cdf(largest_goal / sigma)
    for level in levels:
        # Radii grow with alpha: take the largest that keeps the clean accuracy.
        candidates = {
            rule: [alpha for alpha in ALPHAS if clean(rule, alpha) >= level - ACCURACY_TOLERANCE] for rule in RULES
        }
        for rule, certificate, radius in variants:
            if not candidates[rule]:
                print(f"{name}, {rule}, {certificate}: no alpha above 1/2 has a clean accuracy of {level:.0%}")
                continue
            alpha = max(candidates[rule])
            known_up_to, unreachable_beyond = (
                float(radius(alpha, sigma, bound)) for bound in (largest_intended_bound, 1.0)
            )
            radii, by_shares = (radius(alpha, sigma, probability) for probability in (lower, share))
            curves.append(
                CertifiedCurve(
                    level,
                    name,
                    certificate,
                    rule,
                    alpha,
                    1.0,
                    clean(rule, alpha),
                    radii,
                    known_up_to,
                    unreachable_beyond,
                    by_shares,
                )
            )
    return curves


def lipschitz_curves(
    options: argparse.Namespace, cifar10, standard: BundledModel, model: BundledModel
) -> list[CertifiedCurve]:
    """The curve of the Lipschitz h alone, then those of the mixtures at each level of clean
    accuracy.
    """
    guarantee = model.manifest["guarantee"]
    if guarantee["constant_of"] != "logit_vector":
        raise SystemExit(f"{model.path}: Theorem 1 is computed only for a Lipschitz vector of logits")
    images = list(range(0, len(cifar10.test_labels), options.every))
    z = cached_logits(model, cifar10, images, options.cache)
    g = softmax(cached_logits(standard, cifar10, images, options.cache), axis=1)
    labels = cifar10.test_labels[images].astype(np.int64)
    is_correct = z.argmax(axis=1) == labels
    selection, reported = split_halves(len(images))

    def clean(rule: str, alpha: float, robust: np.ndarray, part: np.ndarray) -> float:
        return float((answered_classes(rule, alpha, g[part], robust[part]) == labels[part]).mean())

    robust_alone = mixture_radii.robust_network_radii(z, guarantee)[reported] * is_correct[reported]
    curves = [CertifiedCurve(0, "Lipschitz", "alone", "", 1.0, 1.0, float(is_correct[reported].mean()), robust_alone)]
    robust = {temperature: softmax(z / temperature, axis=1) for temperature in TEMPERATURES}
    accuracy = {
        rule: {
            (a, t): clean(rule, a, robust[t], selection)
            for t in tqdm(TEMPERATURES, desc=f"settings, {rule}")
            for a in ALPHAS
        }
        for rule in RULES
    }
    certificates = {"logit space": mixture_radii.logit_space_radii, "Theorem 1": mixture_radii.theorem1_lipschitz_radii}

    def score(radius, setting: tuple[float, float]) -> tuple[int, float]:
        """If nothing is certified at the compared radius, the largest sum of radii decides."""
        radii = radius(*setting, z[selection], guarantee) * is_correct[selection]
        return int((radii >= COMPARED_RADIUS).sum()), float(radii.sum())

    scores = {
        name: {setting: score(radius, setting) for setting in accuracy["paper"]}
        for name, radius in certificates.items()
    }
    for level in options.levels:
        for rule, name in (("gated", "logit space"), ("paper", "logit space"), ("paper", "Theorem 1")):
            candidates = [s for s, share in accuracy[rule].items() if share >= level - ACCURACY_TOLERANCE]
            if not candidates:
                print(f"Lipschitz, {rule}, {name}: no setting has a clean accuracy of {level:.0%}")
                continue
            best = max(candidates, key=scores[name].__getitem__)
            radii = certificates[name](*best, z[reported], guarantee) * is_correct[reported]
            reported_accuracy = clean(rule, best[0], robust[best[1]], reported)
            curves.append(CertifiedCurve(level, "Lipschitz", name, rule, *best, reported_accuracy, radii))
    return curves
