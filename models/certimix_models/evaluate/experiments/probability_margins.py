"""Mean margins between the two largest probabilities, for correct and incorrect answers: the
paper's Table I.

g is attacked through g, h through h, the mixture through the mixture. The logits are those of
`alpha_curve`.
"""

import argparse

import numpy as np
from scipy.stats import norm as normal

from certimix_models import result_tables
from certimix_models.evaluate import plotting
from certimix_models.evaluate.experiments import alpha_curve, experiment
from certimix_models.evaluate.mathematics.accuracy_interval import CONFIDENCE


def build_table(experiment_run: experiment.ExperimentRun, logits: dict, alpha: float) -> list[dict]:
    """The rows of the CSV file."""
    labels = experiment_run.labels.numpy()
    rows = []
    for model, weight in [("standard", 0.0), ("robust", 1.0), ("mixture", alpha)]:
        for images in ("clean", "attacked"):
            image_set = "clean" if images == "clean" else alpha_curve.image_set_of("MIX", weight)
            probabilities = np.exp(alpha_curve.log_probabilities(logits[image_set], weight))
            second, first = np.sort(probabilities, axis=1)[:, -2:].T
            correct = probabilities.argmax(axis=1) == labels
            for answers, selected in [("correct", correct), ("incorrect", ~correct)]:
                row = {"model": model, "alpha": f"{weight:g}", "images": images, "answers": answers}
                rows.append(
                    row | _mean_margin_columns((first - second)[selected]) | experiment_run.description_columns()
                )
    return rows


def _mean_margin_columns(margins: np.ndarray) -> dict:
    """The mean with a normal 95 % interval, and the median; empty for fewer than two margins."""
    if len(margins) < 2:
        return {"count": len(margins), "mean_margin": "", "low": "", "high": "", "median_margin": ""}
    half = normal.ppf((1 + CONFIDENCE) / 2) * margins.std(ddof=1) / np.sqrt(len(margins))
    mean = margins.mean()
    numbers = {"mean_margin": mean, "low": mean - half, "high": mean + half, "median_margin": np.median(margins)}
    return {"count": len(margins)} | {name: f"{value:.4f}" for name, value in numbers.items()}


def plot(csv, png) -> None:
    """Draws the bar chart."""
    rows = [row for row in result_tables.read(csv) if row["mean_margin"] != ""]
    figure, axes = plotting.single_panel()
    groups = [(model, images) for model in ("standard", "robust", "mixture") for images in ("clean", "attacked")]
    for shift, colour, answers in [(-0.2, plotting.COLOURS[0], "correct"), (0.2, plotting.COLOURS[1], "incorrect")]:
        bars = [row for row in rows if row["answers"] == answers]
        positions = [groups.index((row["model"], row["images"])) + shift for row in bars]
        means = [row["mean_margin"] for row in bars]
        errors = [
            [mean - row["low"] for mean, row in zip(means, bars)],
            [row["high"] - mean for mean, row in zip(means, bars)],
        ]
        axes.bar(positions, means, 0.38, color=colour, label=f"{answers} answers", yerr=errors, capsize=3)
    (alpha,) = {row["alpha"] for row in rows if row["model"] == "mixture"}
    names = {"standard": "g", "robust": "h", "mixture": f"mixture\n(alpha {alpha:g})"}
    axes.set_xticks(range(len(groups)), [f"{names[model]}\n{images}" for model, images in groups], fontsize=8)
    axes.set(ylabel="mean margin of the two largest probabilities", ylim=(0, 1))
    axes.set_title(plotting.attack_title(rows[0], "PGD-20 on the model itself"), fontsize=9)
    axes.legend(fontsize=8)
    plotting.save_figure(figure, png)


def run(options: argparse.Namespace) -> None:
    csv, png = experiment.output_paths(options, "margins")
    if not options.plot_only:
        if options.alpha not in options.alphas:
            options.usage_error("--alpha must be one of --alphas: the mixture is attacked at these only")
        experiment_run = experiment.start_run(options)
        logits, cache = alpha_curve.measure_logits(experiment_run)
        result_tables.write(
            csv,
            build_table(experiment_run, logits, options.alpha),
            experiment_run.g.identity,
            experiment_run.h.identity,
        )
        experiment.print_completion(cache, csv, png)
    plot(csv, png)
