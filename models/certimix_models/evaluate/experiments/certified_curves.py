#!/usr/bin/env python3
"""Certified accuracy against radius of the mixture, by each certificate, at matched clean accuracy (Figure 3 of the paper, and beyond).

    .cache/venv/bin/python models/evaluate/paper/fig3.py [--standard ...toml --lipschitz ...toml --votes docs/results/votes_smoothed-025.csv]

For each level of clean accuracy the mixture is made to have it: with a smoothed h by alpha alone; with a Lipschitz h by alpha and
robust_temperature, of which the pair is taken that certifies most at the radius 36/255. Certificates: Theorems 1 and 2 of the paper, the
tight radius (smoothed), the radius in logit space (Lipschitz). h alone is drawn beside them. The paper's own comparison comes last: an h
alone, and the mixture with another h, smoothed with more noise (--wider-votes), of the same clean accuracy.

With a Lipschitz h, half of the test set chooses the settings and the other half is reported. With a smoothed h, all images that have votes
are reported: nothing is chosen but the one alpha that has the clean accuracy. Logits come from ONNX Runtime and the bundled files, and are kept in .cache/results/fig3.
"""

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import certified_figure
import fig3_plot
import models
import numpy as np
import radii
import votes
from bounds import anytime_lower
from certified import REPOSITORY
from scipy.special import softmax
from scipy.stats import norm
from tqdm import tqdm
from training import data, tables

RADIUS = 36 / 255  # at which settings are compared
GRID = np.round(np.linspace(0, 0.95, 96), 4)
ALPHAS = np.concatenate([np.arange(0.5, 1.0, 0.01), [0.995, 0.999]])[1:]
TEMPERATURES = np.geomspace(0.002, 10.0, 60)
TOLERANCE = 0.005  # of clean accuracy
CHUNK = 500


@dataclass(frozen=True)
class Curve:
    level: float  # of clean accuracy that was asked for; 0 for h alone
    robust: str
    certificate: str
    alpha: float
    temperature: float
    clean: float
    radii: np.ndarray  # of the reported images; 0 where the certified class is wrong
    upto: float = GRID[-1]  # the radius up to which the curve is known: votes were drawn for no more
    never: float = math.inf  # no votes certify beyond this
    by_shares: np.ndarray | None = None  # the radii, had the shares of the votes been the probabilities themselves: no certificates

    def rows(self) -> Iterator[dict]:
        """Of the table: one a radius at which the curve is known."""
        settings = {"level": f"{self.level:.4g}", "robust": self.robust, "certificate": self.certificate, "alpha": f"{self.alpha:.3f}"}
        settings |= {"robust_temperature": f"{self.temperature:.4g}", "clean_accuracy": f"{self.clean:.4f}", "images": len(self.radii)}
        counted = {"certified": self.radii, "by_shares": self.by_shares}
        for at in GRID[(self.upto >= GRID) | (self.never < GRID)]:
            yield settings | {"radius": f"{at:g}"} | {name: reaching(found, at) for name, found in counted.items()}


def reaching(radii_found: np.ndarray | None, at: float) -> int | str:
    return "" if radii_found is None else int(((radii_found >= at) & (radii_found > 0)).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    bundled = REPOSITORY / "models" / "cifar10"
    results = REPOSITORY / "docs" / "results"
    parser.add_argument("--standard", type=Path, default=bundled / "standard.toml")
    parser.add_argument("--lipschitz", type=Path, default=bundled / "lipschitz.toml")
    parser.add_argument("--votes", type=Path, default=results / "votes_smoothed-025.csv")
    parser.add_argument("--wider-votes", type=Path, default=results / "far_votes_smoothed-050.csv", help="of a larger sigma")
    parser.add_argument("--levels", type=float, nargs="+", default=[0.90, 0.85, 0.80, 0.75])
    parser.add_argument("--every", type=int, default=1, help="for the Lipschitz network: every n-th test image")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work-dir", type=Path, default=data.DEFAULT_WORK_DIR)
    parser.add_argument("--cache", type=Path, default=REPOSITORY / ".cache" / "results" / "fig3")
    parser.add_argument("--results", type=Path, default=results)
    options = parser.parse_args()
    started = time.monotonic()
    cifar = data.load(options.work_dir)
    standard = models.load(options.standard, threads=options.threads)
    network = models.load(options.lipschitz, threads=options.threads)
    curves = smoothed(options, cifar, standard, *votes.read(options.votes), options.levels)
    curves += lipschitz(options, cifar, standard, network)
    curves += smoothed(options, cifar, standard, *votes.read(options.wider_votes), [curves[0].clean])
    used = [standard.identity, network.identity, tables.identity(options.votes), tables.identity(options.wider_votes)]
    tables.write(options.results / "fig3.csv", [row for curve in curves for row in curve.rows()], *used)
    fig3_plot.make(options.results)
    print(f"took {(time.monotonic() - started) / 60:.1f} minutes")


def logits(model: models.Model, cifar, images: list[int], cache: Path) -> np.ndarray:
    """Float64, of the images at these indices; what was computed before is read."""
    path = cache / f"{model.path.stem}-{model.sha256[:12]}.npz"
    known = dict(zip(*(np.load(path)[key] for key in ("images", "logits")), strict=True)) if path.exists() else {}
    missing = [image for image in images if image not in known]
    for start in tqdm(range(0, len(missing), CHUNK), desc=model.path.stem, unit="chunk", disable=not missing):
        chunk = missing[start : start + CHUNK]
        known.update(zip(chunk, model.logits(models.to_floats(cifar.test_images[chunk])), strict=True))
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, images=np.array(list(known)), logits=np.stack(list(known.values())))
    return np.stack([known[image] for image in images]).astype(np.float64)


def halves(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which choose, and which are reported."""
    return np.arange(1, count, 2), np.arange(0, count, 2)


def smoothed(
    options: argparse.Namespace, cifar, standard: models.Model, origin: dict[str, str], rows: list[votes.Row], levels: list[float]
) -> list[Curve]:
    """First h alone, then the mixtures of these levels of clean accuracy."""
    sigma, failure = float(origin["sigma"]), float(origin["failure_probability"])
    labels, selected = np.array([row.label for row in rows]), np.array([row.selected for row in rows])
    lower = np.array([anytime_lower(row.votes_for_class, row.votes, failure) for row in rows])
    share = np.array([row.votes_for_class / row.votes if row.votes else 0.0 for row in rows])
    lower, share = (np.where(selected == labels, found, 0.0) for found in (lower, share))
    robust = np.array([row.counts for row in rows], dtype=np.float64)
    robust /= robust.sum(axis=1, keepdims=True)
    g = softmax(logits(standard, cifar, [row.image for row in rows], options.cache), axis=1)
    name = f"smoothed, sigma {sigma:g}"

    def clean(alpha: float) -> float:
        return float((radii.classes(alpha, g, robust) == labels).mean())

    alone = np.maximum(certified_figure.radii_of(origin, rows), 0)
    furthest = max(map(float, origin["radii"].split(",")))
    curves = [Curve(0, name, "alone", 1.0, 1.0, clean(1.0), alone, furthest, by_shares=np.maximum(sigma * norm.ppf(share), 0))]
    certificates = {"tight": radii.tight, "Theorem 2": radii.theorem2, "Theorem 1": radii.theorem1_smoothed}
    driven = norm.cdf(furthest / sigma)  # no lower bound was driven further than that
    for level in levels:
        # Radii grow with alpha: the largest that keeps the clean accuracy.
        fitting = [alpha for alpha in ALPHAS if clean(alpha) >= level - TOLERANCE]
        if not fitting:
            print(f"{name}: no alpha above 1/2 has a clean accuracy of {level:.0%}")
            continue
        alpha = max(fitting)
        for certificate, radius in certificates.items():
            upto, never = (float(radius(alpha, sigma, bound)) for bound in (driven, 1.0))
            found, by_shares = (radius(alpha, sigma, probability) for probability in (lower, share))
            curves.append(Curve(level, name, certificate, alpha, 1.0, clean(alpha), found, upto, never, by_shares))
    return curves


def lipschitz(options: argparse.Namespace, cifar, standard: models.Model, model: models.Model) -> list[Curve]:
    guarantee = model.manifest["guarantee"]
    if guarantee["constant_of"] != "logit_vector":
        raise SystemExit(f"{model.path}: Theorem 1 is only computed here for a Lipschitz vector of logits")
    images = list(range(0, len(cifar.test_labels), options.every))
    z = logits(model, cifar, images, options.cache)
    g = softmax(logits(standard, cifar, images, options.cache), axis=1)
    labels = cifar.test_labels[images].astype(np.int64)
    right = z.argmax(axis=1) == labels
    choose, report = halves(len(images))

    def clean(alpha: float, robust: np.ndarray, part: np.ndarray) -> float:
        return float((radii.classes(alpha, g[part], robust[part]) == labels[part]).mean())

    alone = radii.alone(z, guarantee)[report] * right[report]
    curves = [Curve(0, "Lipschitz", "alone", 1.0, 1.0, float(right[report].mean()), alone)]
    robust = {temperature: softmax(z / temperature, axis=1) for temperature in TEMPERATURES}
    accuracy = {(a, t): clean(a, robust[t], choose) for t in tqdm(TEMPERATURES, desc="settings") for a in ALPHAS}
    certificates = {"logit space": radii.logit_space, "Theorem 1": radii.theorem1_lipschitz}

    def score(radius, setting: tuple[float, float]) -> tuple[int, float]:
        """Where nothing is certified at that radius, the setting that certifies furthest on the whole."""
        reached = radius(*setting, z[choose], guarantee) * right[choose]
        return int((reached >= RADIUS).sum()), float(reached.sum())

    scores = {name: {setting: score(radius, setting) for setting in accuracy} for name, radius in certificates.items()}
    for level in options.levels:
        fitting = [setting for setting, share in accuracy.items() if share >= level - TOLERANCE]
        if not fitting:
            print(f"Lipschitz: no setting has a clean accuracy of {level:.0%}")
            continue
        for name, radius in certificates.items():
            best = max(fitting, key=scores[name].__getitem__)
            reached = radius(*best, z[report], guarantee) * right[report]
            curves.append(Curve(level, "Lipschitz", name, *best, clean(best[0], robust[best[1]], report), reached))
    return curves


if __name__ == "__main__":
    main()
