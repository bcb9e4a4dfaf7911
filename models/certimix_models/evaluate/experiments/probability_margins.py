#!/usr/bin/env python3
"""Mean margins between the two largest probabilities, for right and for wrong answers: the paper's Table I.

    python models/evaluate/paper/margins.py --norm linf   # writes margins-linf.csv and .png
    python models/evaluate/paper/margins.py --norm l2

g is attacked through g, h through h, the mixture (`--alpha`) through the mixture. It uses the raw results of
alpha_curve.py with the same options, and computes them if they are not there.
"""

import accuracy
import alpha_curve
import figures
import numpy as np
import runs
from scipy.stats import norm as normal
from training import tables


def table(run: runs.Run, logits: dict, alpha: float) -> list[dict]:
    labels = run.labels.numpy()
    rows = []
    for model, weight in [("standard", 0.0), ("robust", 1.0), ("mixture", alpha)]:
        for images in ("clean", "attacked"):
            kind = "clean" if images == "clean" else alpha_curve.kind_of("MIX", weight)
            probabilities = np.exp(alpha_curve.log_probabilities(logits[kind], weight))
            second, first = np.sort(probabilities, axis=1)[:, -2:].T
            right = probabilities.argmax(axis=1) == labels
            for answers, chosen in [("correct", right), ("incorrect", ~right)]:
                row = {"model": model, "alpha": f"{weight:g}", "images": images, "answers": answers}
                rows.append(row | _mean((first - second)[chosen]) | run.described())
    return rows


def _mean(margins: np.ndarray) -> dict:
    """With a normal 95 % interval of the mean, and the median; empty where there is nothing to average."""
    if len(margins) < 2:
        return {"count": len(margins), "mean_margin": "", "low": "", "high": "", "median_margin": ""}
    half = normal.ppf((1 + accuracy.CONFIDENCE) / 2) * margins.std(ddof=1) / np.sqrt(len(margins))
    mean = margins.mean()
    numbers = {"mean_margin": mean, "low": mean - half, "high": mean + half, "median_margin": np.median(margins)}
    return {"count": len(margins)} | {name: f"{value:.4f}" for name, value in numbers.items()}


def plot(csv, png) -> None:
    rows = [row for row in tables.read(csv) if row["mean_margin"] != ""]
    figure, axes = figures.new()
    groups = [(model, images) for model in ("standard", "robust", "mixture") for images in ("clean", "attacked")]
    for shift, colour, answers in [(-0.2, figures.COLOURS[0], "correct"), (0.2, figures.COLOURS[1], "incorrect")]:
        bars = [row for row in rows if row["answers"] == answers]
        places = [groups.index((row["model"], row["images"])) + shift for row in bars]
        means = [row["mean_margin"] for row in bars]
        errors = [
            [mean - row["low"] for mean, row in zip(means, bars)],
            [row["high"] - mean for mean, row in zip(means, bars)],
        ]
        axes.bar(places, means, 0.38, color=colour, label=f"{answers} answers", yerr=errors, capsize=3)
    (alpha,) = {row["alpha"] for row in rows if row["model"] == "mixture"}
    names = {"standard": "g", "robust": "h", "mixture": f"mixture\n(alpha {alpha:g})"}
    axes.set_xticks(range(len(groups)), [f"{names[model]}\n{images}" for model, images in groups], fontsize=8)
    axes.set(ylabel="mean margin of the two largest probabilities", ylim=(0, 1))
    axes.set_title(figures.threat(rows[0], "PGD-20 on the model itself"), fontsize=9)
    axes.legend(fontsize=8)
    figures.save(figure, png)


def main() -> None:
    parser = alpha_curve.parser()
    parser.description = __doc__
    parser.add_argument("--alpha", type=float, default=0.8, help="of the mixture's row; one of --alphas")
    options = parser.parse_args()
    csv, png = runs.outputs(options, "margins")
    if not options.plot_only:
        if options.alpha not in options.alphas:
            parser.error("--alpha must be one of --alphas: the mixture is attacked at these only")
        run = runs.start(options)
        logits, store = alpha_curve.measure(run)
        tables.write(csv, table(run, logits, options.alpha), run.g.identity, run.h.identity)
        runs.finished(store, csv, png)
    plot(csv, png)


if __name__ == "__main__":
    main()
