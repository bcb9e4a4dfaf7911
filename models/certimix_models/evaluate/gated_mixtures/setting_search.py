"""Counts how many images every setting of a mixture answers rightly and certifies, for a Lipschitz
h, and chooses the best setting.

A setting is alpha, T and fallback_alpha. Everything is computed from one row of logits of each
network for each image. The counts are those of several subsets of the images at once, so that one
half can choose a setting and the other half report it, for many splits.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from tqdm import tqdm

from certimix_models.evaluate.mathematics.certificate_formulas import logit_radius, required_margin, smallest_margin

ALPHAS = np.concatenate([np.arange(51, 100) / 100, [0.995]])
# three digits, so that a configuration file states exactly what was measured
TEMPERATURES = np.array([float(f"{temperature:.3g}") for temperature in np.geomspace(0.01, 4.0, 120)])
FALLBACKS = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8])
RADII = (0.0, 36 / 255, 0.25, 0.5)  # in l2, for pixels in [0, 1]; at 0: certified at all
RULES = ("paper", "gated", "any fallback")  # fallback_alpha is alpha, 0, or the best of FALLBACKS


@dataclass(frozen=True)
class ImageRows:
    """What the networks say about the images."""

    labels: np.ndarray  # [N]
    standard: np.ndarray  # probabilities of g, [N, K]
    robust: np.ndarray  # logits of h, [N, K]
    guarantee: dict  # of h


@dataclass(frozen=True)
class Setting:
    """The settings of a mixture."""

    alpha: float
    temperature: float
    fallback_alpha: float


@dataclass(frozen=True)
class SettingOutcome:
    """What a setting does on a subset of the images."""

    images: int
    correct: int
    certified: tuple[int, ...]  # right and certified, for each of RADII


class SettingCounts:
    """The counts of every setting, on each of the subsets: `masks` is [S, N]."""

    def __init__(self, rows: ImageRows, masks: np.ndarray):
        self.sizes = masks.sum(axis=1)
        subsets = masks.T.astype(np.float32)  # counts below 2^24 are exact
        parts = [_count_at(rows, temperature, subsets) for temperature in tqdm(TEMPERATURES, desc="settings")]
        paper, gated, certified = (np.stack(part) for part in zip(*parts, strict=True))
        self.correct = {"paper": paper[..., None, :], "gated": gated[:, :, :1], "any fallback": gated}
        self.certified = certified  # [T, A, R, S]; for every rule: radii do not depend on the fallback

    def choose(self, rule: str, subset: int, clean: float, radius: float) -> Setting | None:
        """The setting that certifies most images of a subset at this radius, among those with at
        least this clean accuracy. The certified images at the other radii decide between equals.
        """
        correct = self.correct[rule][..., subset]
        certified = self.certified[..., subset]
        wanted = certified[:, :, RADII.index(radius)]
        score = wanted + certified.sum(axis=2) / (2 * len(RADII) * self.sizes[subset])
        score = np.where(correct >= clean * self.sizes[subset], score[..., None], -1)
        if score.max() < 0:
            return None
        t, a, f = np.unravel_index(score.argmax(), score.shape)
        alpha = float(ALPHAS[a])
        return Setting(alpha, float(TEMPERATURES[t]), alpha if rule == "paper" else float(FALLBACKS[f]))

    def outcome(self, setting: Setting, subset: int) -> SettingOutcome:
        """The counts of a setting of this search on a subset."""
        t, a = np.flatnonzero(TEMPERATURES == setting.temperature)[0], np.flatnonzero(ALPHAS == setting.alpha)[0]
        if setting.fallback_alpha == setting.alpha:
            correct = self.correct["paper"][t, a, 0, subset]
        else:
            correct = self.correct["any fallback"][t, a, np.flatnonzero(FALLBACKS == setting.fallback_alpha)[0], subset]
        certified = tuple(int(count) for count in self.certified[t, a, :, subset])
        return SettingOutcome(int(self.sizes[subset]), int(correct), certified)


def _count_at(rows: ImageRows, temperature: float, subsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At one temperature: right answers of the paper's mixtures [A, S] and of the gated ones
    [A, F, S], and certified right answers [A, R, S].
    """
    h = softmax(rows.robust / temperature, axis=1)
    classes = h.argmax(axis=1)
    is_robust_right = classes == rows.labels
    margins = smallest_margin(h, classes)
    is_open = margins >= np.array([required_margin(alpha) for alpha in ALPHAS])[:, None]
    is_right = mixture_rightness(rows, h)
    paper = np.stack([is_right(alpha) for alpha in ALPHAS]) @ subsets
    # Where the gate is open, the class is that of h (Lemma 1).
    open_right = (is_open & is_robust_right) @ subsets
    fallbacks = [~is_open @ (is_right(fallback)[:, None] * subsets) for fallback in FALLBACKS]
    gated = np.stack([open_right + closed_right for closed_right in fallbacks], axis=1)
    gated[FALLBACKS[None, :] > ALPHAS[:, None]] = -1  # fallback_alpha is at most alpha
    radii = np.where(is_robust_right, logit_radius(ALPHAS[:, None], rows.robust, temperature, rows.guarantee), 0.0)
    certified = np.stack([((radii >= radius) & (radii > 0)) @ subsets for radius in RADII], axis=1)
    return paper, gated, certified


def mixture_rightness(rows: ImageRows, h: np.ndarray) -> Callable[[float], np.ndarray]:
    """A function of the weight of h: whether the mixture with that weight is right, [N]."""
    return lambda weight: ((1 - weight) * rows.standard + weight * h).argmax(axis=1) == rows.labels


def random_halves(images: int, splits: int, seed: int) -> np.ndarray:
    """[2 splits, N]: for each split, the half that chooses and the half that is reported."""
    generator = np.random.default_rng(seed)
    masks = np.zeros((2 * splits, images), bool)
    for split in range(splits):
        order = generator.permutation(images)
        masks[2 * split, order[: images // 2]] = True
        masks[2 * split + 1, order[images // 2 :]] = True
    return masks
