"""Accuracy of the mixture (Eq. 4) against alpha: the paper's Fig. 2, clean and under three attacks
of PGD-20.

The image sets are the clean images, those of STD (PGD on g), of ROB (PGD on h), and of MIX at each
alpha (PGD on the mixture, end to end).
"""

import argparse

import numpy as np
import torch
from tqdm import tqdm

from certimix_models import result_tables
from certimix_models.evaluate import plotting
from certimix_models.evaluate.experiments import experiment
from certimix_models.evaluate.experiments.experiment import ArrayCache, ExperimentRun
from certimix_models.evaluate.mathematics.accuracy_interval import accuracy_columns
from certimix_models.evaluate.networks.mixture import AlphaMixture, log_mixture
from certimix_models.evaluate.report import published_curves

CHUNK_IMAGES = 50
# clean, STD and ROB cost nothing more at further alphas
CURVE_ALPHAS = np.round(np.linspace(0, 1, 21), 2).tolist()
FIXED_IMAGE_SETS = ["clean", "STD", "ROB"]


def measure_logits(experiment_run: ExperimentRun) -> tuple[dict, ArrayCache]:
    """The logits of g and h, by ONNX Runtime, for each image set: {image set: (g [N, K], h [N,
    K])}.
    """
    cache = ArrayCache(experiment_run, "alpha", alphas=experiment_run.options.alphas)
    image_sets = FIXED_IMAGE_SETS + [f"MIX-{alpha:g}" for alpha in experiment_run.options.alphas]
    chunks_of_set = {image_set: [] for image_set in image_sets}
    progress = tqdm(total=len(image_sets) * len(experiment_run.slices(CHUNK_IMAGES)), mininterval=2)
    for number, chunk in enumerate(experiment_run.slices(CHUNK_IMAGES)):
        for image_set in image_sets:
            chunks_of_set[image_set].append(
                cache.get(
                    f"{image_set}-{number:03}",
                    lambda image_set=image_set, chunk=chunk: _logits_of_chunk(experiment_run, image_set, chunk),
                )
            )
            progress.update()
    progress.close()
    return {
        image_set: tuple(np.concatenate([piece[name] for piece in chunks]) for name in ("g", "h"))
        for image_set, chunks in chunks_of_set.items()
    }, cache


def _logits_of_chunk(experiment_run: ExperimentRun, image_set: str, chunk: slice) -> dict:
    images, labels = experiment_run.images[chunk], experiment_run.labels[chunk]
    if image_set != "clean":
        if image_set in ("STD", "ROB"):
            target = {"STD": experiment_run.g.torch_module, "ROB": experiment_run.h.torch_module}[image_set]
        else:
            target = AlphaMixture(
                experiment_run.g.torch_module, experiment_run.h.torch_module, float(image_set.removeprefix("MIX-"))
            )
        images = experiment_run.attack(target, images, labels)
    return {"g": experiment_run.g.logits(images.numpy()), "h": experiment_run.h.logits(images.numpy())}


def log_probabilities(logits: tuple, alpha: float) -> np.ndarray:
    """The mixture's log probabilities in float64, from ONNX Runtime's logits."""
    log_g, log_h = (torch.from_numpy(values).double().log_softmax(dim=1) for values in logits)
    return log_mixture(log_g, log_h, alpha).numpy()


def image_set_of(attack: str, alpha: float) -> str:
    """The image set of an attack at alpha. At 0 and 1 the mixture is g or h, and so is its attack."""
    return attack if attack != "MIX" else {0.0: "STD", 1.0: "ROB"}.get(alpha, f"MIX-{alpha:g}")


def build_table(experiment_run: ExperimentRun, logits: dict) -> list[dict]:
    """The rows of the CSV file."""
    labels = experiment_run.labels.numpy()
    mix_alphas = sorted({0.0, 1.0, *experiment_run.options.alphas})

    def is_correct(attack: str, alpha: float) -> np.ndarray:
        return log_probabilities(logits[image_set_of(attack, alpha)], alpha).argmax(axis=1) == labels

    rows = []
    for attack, alphas in [
        *[(kind, sorted({*CURVE_ALPHAS, *mix_alphas})) for kind in FIXED_IMAGE_SETS],
        ("MIX", mix_alphas),
        ("worst", mix_alphas),
    ]:
        for alpha in alphas:
            correct = (
                np.all([is_correct(kind, alpha) for kind in ("STD", "ROB", "MIX")], axis=0)
                if attack == "worst"
                else is_correct(attack, alpha)
            )
            rows.append(
                {"attack": attack, "alpha": f"{alpha:g}"}
                | accuracy_columns(correct)
                | experiment_run.description_columns()
            )
    return rows


def plot(csv, png) -> None:
    """Draws the figure, with the authors' own curves beside ours."""
    rows = result_tables.read(csv)
    figure, (axes, authors_axes) = plotting.two_panels()
    names = {
        "clean": "clean",
        "STD": "STD: attack on g",
        "ROB": "ROB: attack on h",
        "MIX": "MIX: attack on the mixture",
        "worst": "worst of the three",
    }
    for colour, (attack, label) in zip(plotting.COLOURS, names.items()):
        plotting.plot_accuracy_curve(
            axes, [row for row in rows if row["attack"] == attack], "alpha", label, colour, dashed=attack == "worst"
        )
    axes.set(xlabel="alpha, the weight of h", ylabel="accuracy (%)", xlim=(0, 1), ylim=(0, 100))
    axes.set_title(plotting.attack_title(rows[0], "PGD-20"), fontsize=9)
    axes.legend(fontsize=8)
    norm = rows[0]["norm"]
    for colour, (attack, points) in zip(plotting.COLOURS, published_curves.load_curves(norm).items()):
        positions = [published_curves.alpha_of(gamma) for gamma, _ in points]
        authors_axes.plot(
            positions,
            [share for _, share in points],
            color=colour,
            marker=".",
            markersize=3,
            linewidth=1.2,
            label=attack,
        )
    authors_axes.set(xlabel="alpha, the weight of h")
    authors_axes.set_title(published_curves.figure_title(norm), fontsize=9)
    authors_axes.grid(alpha=0.3)
    plotting.save_figure(figure, png)


def run(options: argparse.Namespace) -> None:
    csv, png = experiment.output_paths(options, "alpha")
    if not options.plot_only:
        experiment_run = experiment.start_run(options)
        logits, cache = measure_logits(experiment_run)
        result_tables.write(
            csv, build_table(experiment_run, logits), experiment_run.g.identity, experiment_run.h.identity
        )
        experiment.print_completion(cache, csv, png)
    plot(csv, png)
