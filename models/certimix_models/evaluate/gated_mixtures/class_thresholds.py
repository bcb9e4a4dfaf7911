"""Whether another threshold for each predicted class is worth its settings, for a gated mixture with
a Lipschitz h and fallback_alpha 0.

Lemma 1 is used only where the gate is open, and there h's class is the same on the whole certified
ball. So each class c of h may have its own alpha_c, with the threshold (1 - alpha_c) / alpha_c: the
radius of an image of class c is that of alpha_c. Right answers and certified answers are sums over
the classes. So the best choice of all alpha_c is found exactly, by dynamic programming over the
number of right answers.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from tqdm import tqdm

from certimix_models import result_tables
from certimix_models.evaluate.gated_mixtures.class_thresholds_figure import draw_figure
from certimix_models.evaluate.gated_mixtures.image_rows import load_image_rows
from certimix_models.evaluate.gated_mixtures.setting_search import ALPHAS, TEMPERATURES, ImageRows, random_halves
from certimix_models.evaluate.mathematics.certificate_formulas import logit_radius, required_margin, smallest_margin

RADIUS = 36 / 255  # at which the certified accuracy is compared
TRIED_TEMPERATURES = TEMPERATURES[(TEMPERATURES >= 0.05) & (TEMPERATURES <= 2)][::3]
# The levels at which one alpha for all classes is chosen, so that it can be compared at any clean accuracy.
SINGLE_LEVELS = np.round(np.arange(0.74, 0.922, 0.0025), 4)


@dataclass(frozen=True)
class ClassCounts:
    """Right answers and certified right answers on one subset of the images, [T, C, A]: at each
    temperature, for the images of each class of h, with each alpha.
    """

    images: int
    correct: np.ndarray
    certified: np.ndarray

    def total(self, temperature: int, alphas: np.ndarray) -> np.ndarray:
        """The shares of right and of certified answers, in per cent, with alphas[c] for class c."""
        classes = np.arange(len(alphas))
        counts = [part[temperature, classes, alphas].sum() for part in (self.correct, self.certified)]
        return 100 * np.array(counts) / self.images


def run(options: argparse.Namespace) -> None:
    csv = options.results / "class_thresholds.csv"
    if not options.plot_only:
        started = time.monotonic()
        rows, g, h = load_image_rows(options)
        result_tables.write(csv, measure(options, rows), g.identity, h.identity)
        print(f"took {(time.monotonic() - started) / 60:.1f} minutes")
    table = result_tables.read(csv)
    draw_figure(table, options.results / "class_thresholds.png")
    for row in table:
        print(
            f"clean >= {row['level']:.0%}: one alpha {row['single_certified']:.1f} %, an alpha for each class"
            f" {row['class_certified']:.1f} %; at equal clean accuracy {row['gain']:+.2f} +- {row['gain_deviation']:.2f}"
            f" points ({row['gain_chosen']:+.2f} on the images that chose)"
        )


def measure(options: argparse.Namespace, rows: ImageRows) -> list[dict]:
    """The rows of the CSV file: one for each level of clean accuracy."""
    masks = random_halves(len(rows.labels), options.splits, options.seed)
    subsets = count_by_class(rows, masks)
    found = {level: [] for level in options.levels}
    for chosen, reported in tqdm(list(zip(subsets[::2], subsets[1::2], strict=True)), desc="splits"):
        best_of = [best_by_class(chosen, t) for t in range(len(TRIED_TEMPERATURES))]
        curves = single_curves(chosen, reported)
        for level in options.levels:
            t, alphas = choose_by_class(best_of, level * chosen.images)
            outcome = {"t": t, "alphas": alphas, "class": reported.total(t, alphas)}
            outcome["single"] = curves["reported"][np.argmin(np.abs(SINGLE_LEVELS - level))]
            outcome["gain"] = outcome["class"][1] - certified_at(curves["reported"], outcome["class"][0])
            on_chosen = chosen.total(t, alphas)
            outcome["gain_chosen"] = on_chosen[1] - certified_at(curves["chosen"], on_chosen[0])
            found[level].append(outcome)
    return [format_level(level, outcomes, options.splits) for level, outcomes in found.items()]


def format_level(level: float, outcomes: list[dict], splits: int) -> dict:
    """A row: means over the splits, in per cent."""
    row = {"level": f"{level:g}", "splits": splits}
    for name in ("single", "class"):
        clean, certified = np.mean([outcome[name] for outcome in outcomes], axis=0)
        row |= {f"{name}_clean": f"{clean:.2f}", f"{name}_certified": f"{certified:.2f}"}
    for name in ("gain", "gain_chosen"):
        values = [outcome[name] for outcome in outcomes]
        row |= {name: f"{np.mean(values):.3f}", f"{name}_deviation": f"{np.std(values):.3f}"}
    alphas = np.median([required_margins(outcome["alphas"]) for outcome in outcomes], axis=0)
    return row | {f"threshold_{c}": f"{margin:.3f}" for c, margin in enumerate(alphas)}


def required_margins(alphas: np.ndarray) -> list[float]:
    """The threshold of each class, from indices of ALPHAS."""
    return [required_margin(ALPHAS[alpha]) for alpha in alphas]


def count_by_class(rows: ImageRows, masks: np.ndarray) -> list[ClassCounts]:
    """The counts on each subset."""
    classes, weights = rows.robust.argmax(axis=1), masks.astype(np.float32)
    is_robust_right = classes == rows.labels
    is_standard_right = rows.standard.argmax(axis=1) == rows.labels
    by_class = [weights * (classes == c) for c in range(rows.robust.shape[1])]
    thresholds = np.array([required_margin(alpha) for alpha in ALPHAS])[:, None]
    correct, certified = [], []
    for temperature in TRIED_TEMPERATURES:
        is_open = smallest_margin(softmax(rows.robust / temperature, axis=1), classes) >= thresholds
        is_right = np.where(is_open, is_robust_right, is_standard_right).astype(np.float32)
        radii = logit_radius(ALPHAS[:, None], rows.robust, temperature, rows.guarantee)
        is_certified = ((radii >= RADIUS) & is_robust_right).astype(np.float32)
        correct.append([part @ is_right.T for part in by_class])
        certified.append([part @ is_certified.T for part in by_class])
    # [T, C, S, A] to one [T, C, A] for each subset
    correct, certified = (np.moveaxis(np.rint(part).astype(int), 2, 0) for part in (correct, certified))
    return [ClassCounts(int(mask.sum()), *counts) for mask, *counts in zip(masks, correct, certified, strict=True)]


def best_by_class(counts: ClassCounts, t: int) -> tuple[np.ndarray, np.ndarray]:
    """For each number of right answers, the largest number of certified ones, and the alphas that
    reach it: [N + 1] and [N + 1, C]. Numbers that no choice reaches have -1.
    """
    best = np.full(counts.images + 1, -1)
    best[0] = 0
    alphas = np.zeros((len(best), 0), int)
    for correct, certified in zip(counts.correct[t], counts.certified[t], strict=True):
        values, steps, previous = np.full(len(best), -1), np.zeros(len(best), int), np.arange(len(best))
        for alpha, (right, proven) in enumerate(zip(correct, certified, strict=True)):
            shifted = np.full(len(best), -1)
            source = best[: len(best) - right]
            shifted[right:] = np.where(source >= 0, source + proven, -1)
            better = shifted > values
            values[better], steps[better] = shifted[better], alpha
            previous[better] = np.flatnonzero(better) - right
        best, alphas = values, np.column_stack([alphas[previous], steps])
    return best, alphas


def choose_by_class(best_of: list[tuple[np.ndarray, np.ndarray]], correct: float) -> tuple[int, np.ndarray]:
    """The temperature and the alphas that certify most with at least so many right answers."""
    least = int(np.ceil(correct))
    tops = [least + int(best[least:].argmax()) for best, _ in best_of]
    t = int(np.argmax([best[top] for (best, _), top in zip(best_of, tops, strict=True)]))
    return t, best_of[t][1][tops[t]]


def single_curves(chosen: ClassCounts, reported: ClassCounts) -> dict[str, np.ndarray]:
    """With one alpha for all classes: the shares on both halves at each of SINGLE_LEVELS, [L, 2]."""
    correct, certified = (part.sum(axis=1) for part in (chosen.correct, chosen.certified))
    curves = {"chosen": [], "reported": []}
    for level in SINGLE_LEVELS:
        scores = np.where(correct >= level * chosen.images, certified, -1)
        t, alpha = np.unravel_index(scores.argmax(), scores.shape)
        alphas = np.full(chosen.correct.shape[1], alpha)
        for name, counts in (("chosen", chosen), ("reported", reported)):
            curves[name].append(counts.total(t, alphas))
    return {name: np.array(curve) for name, curve in curves.items()}


def certified_at(curve: np.ndarray, clean: float) -> float:
    """The certified share of a curve at this clean accuracy, between its points."""
    clean_shares, positions = np.unique(curve[:, 0], return_index=True)
    return float(np.interp(clean, clean_shares, curve[positions, 1]))
