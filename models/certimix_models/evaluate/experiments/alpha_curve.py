#!/usr/bin/env python3
"""Accuracy of the mixture (Eq. 4) against alpha: the paper's Fig. 2, on clean images and under three attacks of PGD-20.

    python models/evaluate/paper/alpha_curve.py --norm linf   # h: adversarial.toml; writes alpha-linf.csv and .png
    python models/evaluate/paper/alpha_curve.py --norm l2     # h: lipschitz.toml;   writes alpha-l2.csv and .png

STD is aimed at g alone, ROB at h alone, MIX end to end at the mixture of that alpha. "worst" counts an image as right
only if none of the three succeeded. Every count is of answers that ONNX Runtime gives for the final images. The authors'
own curves, which their notebook prints, are drawn beside ours.
"""

import accuracy
import figures
import numpy as np
import paper_curves
import runs
import torch
from mixture import AlphaMixture, log_mixture
from runs import Run, Store
from tqdm import tqdm
from training import tables

CHUNK = 50
ALPHAS = np.round(np.linspace(0, 1, 21), 2).tolist()  # clean, STD and ROB cost nothing more
MIX_ALPHAS = [0.25, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
BASE = ["clean", "STD", "ROB"]


def parser():
    options = runs.parser(__doc__, images=500)
    options.add_argument(
        "--alphas", type=float, nargs="+", default=MIX_ALPHAS, help="at which MIX is run, besides 0 and 1"
    )
    return options


def measure(run: Run) -> tuple[dict, Store]:
    """Logits of g and h, by ONNX Runtime, for each kind of images: {kind: (g [N, K], h [N, K])}."""
    store = Store(run, "alpha", alphas=run.options.alphas)
    tasks = BASE + [f"MIX-{alpha:g}" for alpha in run.options.alphas]
    pieces = {task: [] for task in tasks}
    progress = tqdm(total=len(tasks) * len(run.chunks(CHUNK)), mininterval=2)
    for number, chunk in enumerate(run.chunks(CHUNK)):
        for task in tasks:
            pieces[task].append(
                store.get(f"{task}-{number:03}", lambda task=task, chunk=chunk: _logits(run, task, chunk))
            )
            progress.update()
    progress.close()
    return {
        task: tuple(np.concatenate([piece[name] for piece in found]) for name in ("g", "h"))
        for task, found in pieces.items()
    }, store


def _logits(run: Run, task: str, chunk: slice) -> dict:
    images, labels = run.images[chunk], run.labels[chunk]
    if task != "clean":
        if task in ("STD", "ROB"):
            target = {"STD": run.g.torch, "ROB": run.h.torch}[task]
        else:
            target = AlphaMixture(run.g.torch, run.h.torch, float(task.removeprefix("MIX-")))
        images = run.attack(target, images, labels)
    return {"g": run.g.logits(images.numpy()), "h": run.h.logits(images.numpy())}


def log_probabilities(logits: tuple, alpha: float) -> np.ndarray:
    """Of the mixture, in double precision, from ONNX Runtime's logits."""
    log_g, log_h = (torch.from_numpy(values).double().log_softmax(dim=1) for values in logits)
    return log_mixture(log_g, log_h, alpha).numpy()


def kind_of(attack: str, alpha: float) -> str:
    """At the ends the mixture is g or h, and so is the attack."""
    return attack if attack != "MIX" else {0.0: "STD", 1.0: "ROB"}.get(alpha, f"MIX-{alpha:g}")


def table(run: Run, logits: dict) -> list[dict]:
    labels = run.labels.numpy()
    mix_alphas = sorted({0.0, 1.0, *run.options.alphas})

    def hits(attack: str, alpha: float) -> np.ndarray:
        return log_probabilities(logits[kind_of(attack, alpha)], alpha).argmax(axis=1) == labels

    rows = []
    for attack, alphas in [
        *[(kind, sorted({*ALPHAS, *mix_alphas})) for kind in BASE],
        ("MIX", mix_alphas),
        ("worst", mix_alphas),
    ]:
        for alpha in alphas:
            right = (
                np.all([hits(kind, alpha) for kind in ("STD", "ROB", "MIX")], axis=0)
                if attack == "worst"
                else hits(attack, alpha)
            )
            rows.append({"attack": attack, "alpha": f"{alpha:g}"} | accuracy.row(right) | run.described())
    return rows


def plot(csv, png) -> None:
    rows = tables.read(csv)
    figure, (axes, beside) = figures.two()
    names = {
        "clean": "clean",
        "STD": "STD: attack on g",
        "ROB": "ROB: attack on h",
        "MIX": "MIX: attack on the mixture",
        "worst": "worst of the three",
    }
    for colour, (attack, label) in zip(figures.COLOURS, names.items()):
        figures.curve(
            axes, [row for row in rows if row["attack"] == attack], "alpha", label, colour, dashed=attack == "worst"
        )
    axes.set(xlabel="alpha, the weight of h", ylabel="accuracy (%)", xlim=(0, 1), ylim=(0, 100))
    axes.set_title(figures.threat(rows[0], "PGD-20"), fontsize=9)
    axes.legend(fontsize=8)
    norm = rows[0]["norm"]
    for colour, (attack, points) in zip(figures.COLOURS, paper_curves.load(norm).items()):
        places = [paper_curves.alpha_of(gamma) for gamma, _ in points]
        beside.plot(places, [share for _, share in points], color=colour, marker=".", markersize=3, linewidth=1.2, label=attack)
    beside.set(xlabel="alpha, the weight of h")
    beside.set_title(paper_curves.title(norm), fontsize=9)
    beside.grid(alpha=0.3)
    figures.save(figure, png)


def main() -> None:
    options = parser().parse_args()
    csv, png = runs.outputs(options, "alpha")
    if not options.plot_only:
        run = runs.start(options)
        logits, store = measure(run)
        tables.write(csv, table(run, logits), run.g.identity, run.h.identity)
        runs.finished(store, csv, png)
    plot(csv, png)


if __name__ == "__main__":
    main()
