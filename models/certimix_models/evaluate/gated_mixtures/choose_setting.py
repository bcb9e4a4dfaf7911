"""Chooses alpha, T and fallback_alpha for a Lipschitz h at each level of clean accuracy, with the
paper's rule and with the gated one.

One half of the test images chooses, the other half is reported. The means over random splits show
how much the choice of the halves matters.
"""

import argparse
import time

import numpy as np

from certimix_models import result_tables
from certimix_models.evaluate.gated_mixtures.image_rows import load_image_rows
from certimix_models.evaluate.gated_mixtures.setting_figure import draw_figure
from certimix_models.evaluate.gated_mixtures.setting_search import (
    RADII,
    RULES,
    ImageRows,
    SettingCounts,
    SettingOutcome,
    random_halves,
)
from certimix_models.evaluate.mathematics.accuracy_interval import clopper_pearson_interval
from certimix_models.evaluate.networks.cached_logits import split_halves

OBJECTIVES = (36 / 255, 0.5)  # the radii at which the certified accuracy is as high as possible


def run(options: argparse.Namespace) -> None:
    csv = options.results / "setting.csv"
    if not options.plot_only:
        started = time.monotonic()
        rows, g, h = load_image_rows(options)
        result_tables.write(csv, measure(options, rows), g.identity, h.identity)
        print(f"took {(time.monotonic() - started) / 60:.1f} minutes")
    table = result_tables.read(csv)
    draw_figure(table, options.results / "setting.png")
    print_settings(table)


def measure(options: argparse.Namespace, rows: ImageRows) -> list[dict]:
    """The rows of the CSV file: one for each radius, level and rule."""
    count = len(rows.labels)
    halves = np.zeros((2, count), bool)
    for mask, part in zip(halves, split_halves(count), strict=True):
        mask[part] = True
    counts = SettingCounts(rows, np.concatenate([halves, random_halves(count, options.splits, options.seed)]))
    table = []
    for radius in OBJECTIVES:
        for level in options.levels:
            for rule in RULES:
                row = measure_choice(counts, rule, level, radius, options.splits)
                if row is None:
                    print(f"{rule}: no setting has a clean accuracy of {level:.0%}")
                else:
                    table.append(row)
    return table


def measure_choice(counts: SettingCounts, rule: str, level: float, radius: float, splits: int) -> dict | None:
    """The setting that the first subset chooses, its counts on the second, and the means over the
    random splits, whose subsets follow in pairs.
    """
    setting = counts.choose(rule, 0, level, radius)
    choices = [counts.choose(rule, 2 + 2 * split, level, radius) for split in range(splits)]
    if setting is None or None in choices:
        return None
    reported = counts.outcome(setting, 1)
    outcomes = [counts.outcome(choice, 3 + 2 * split) for split, choice in enumerate(choices)]
    means, deviations = (reduce([percentages(outcome) for outcome in outcomes], axis=0) for reduce in (np.mean, np.std))
    names = ["clean", *(f"certified_{at:.4g}" for at in RADII)]
    row = {"radius": f"{radius:.4g}", "level": f"{level:g}", "rule": rule, "alpha": f"{setting.alpha:g}"}
    row |= {"robust_temperature": f"{setting.temperature:g}", "fallback_alpha": f"{setting.fallback_alpha:g}"}
    row["images"] = reported.images
    for name, number in zip(names, (reported.correct, *reported.certified), strict=True):
        low, high = clopper_pearson_interval(number, reported.images)
        row |= {name: number, f"{name}_low": f"{100 * low:.2f}", f"{name}_high": f"{100 * high:.2f}"}
    row["splits"] = splits
    for name, mean, deviation in zip(names, means, deviations, strict=True):
        row |= {f"{name}_mean": f"{mean:.2f}", f"{name}_deviation": f"{deviation:.2f}"}
    return row


def percentages(outcome: SettingOutcome) -> list[float]:
    """The clean accuracy and the certified ones, in per cent."""
    return [100 * number / outcome.images for number in (outcome.correct, *outcome.certified)]


def print_settings(table: list[dict]) -> None:
    """Prints each setting with its clean accuracy and its certified accuracy at the radius."""
    for row in table:
        shares = [100 * row[name] / row["images"] for name in ("clean", f"certified_{row['radius']:g}")]
        print(
            f"radius {row['radius']:<6g} clean >= {row['level']:.0%} {row['rule']:<12} alpha {row['alpha']:<5g}"
            f" T {row['robust_temperature']:<6g} fallback {row['fallback_alpha']:<5g}"
            f" clean {shares[0]:.1f} %, certified {shares[1]:.1f} %"
        )
