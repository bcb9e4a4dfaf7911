"""Curves of attacked against clean accuracy over gamma, for Eq. 1 to 3. Three experiments share
them.

An image counts as attacked successfully if STD (PGD-20 on g), ROB (on h) or MIX (end to end on this
mixture) succeeds. The paper's code takes the smaller accuracy of STD and MIX. MIX runs only on
images that the other two did not break. Classes come from ONNX Runtime's logits. R_i needs
gradients and is torch's at the same image.

gamma is chosen for each curve so that `strength`, gamma times the median R_i of clean images (for
g's class), takes the same values for each curve.
"""

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from certimix_models import result_tables
from certimix_models.evaluate import plotting
from certimix_models.evaluate.experiments import experiment
from certimix_models.evaluate.experiments.experiment import ArrayCache, ExperimentRun
from certimix_models.evaluate.mathematics.accuracy_interval import accuracy_columns
from certimix_models.evaluate.networks.mixture import (
    TINY,
    ConstantOracle,
    GammaMixture,
    local_weight,
    logits_and_jacobian,
    needs_gradients_of_h,
)
from certimix_models.evaluate.networks.nearest_neighbour import NearestNeighbour
from certimix_models.evaluate.report import published_curves

CHUNK_IMAGES = 25
IMAGE_SETS = ["clean", "STD", "ROB"]


@dataclass(frozen=True)
class CurveVariant:
    """One curve: the choice of R_i, the scale, and h."""

    name: str
    label: str
    choice: str
    scale: str
    normalised: bool = True
    oracle: bool = False  # the nearest neighbour's class instead of h

    @property
    def weight_name(self) -> str:
        """The name of R_i among the components."""
        return f"{self.choice}-{self.scale}"


class TradeoffExperiment:
    """Measures the curves of one experiment."""

    def __init__(self, run: ExperimentRun, name: str, variants: list[CurveVariant], strengths: list[float]):
        self.run, self.variants, self.strengths = run, variants, strengths
        self.cache = ArrayCache(run, name, variants=[vars(variant) for variant in variants], strengths=strengths)
        self.nearest = (
            NearestNeighbour(run.cifar10.train_images, run.cifar10.train_labels)
            if any(v.oracle for v in variants)
            else None
        )
        self.chunks = run.slices(CHUNK_IMAGES)

    def measure_table(self) -> list[dict]:
        """The rows of the CSV file."""
        progress = tqdm(total=len(self.chunks) * (1 + len(self.variants) * len(self.strengths)), mininterval=2)
        self.base = []
        for number, chunk in enumerate(self.chunks):
            self.base.append(self.cache.get(f"base-{number:03}", lambda chunk=chunk: self._measure_base(chunk)))
            progress.update()
        rows = []
        for variant in self.variants:
            gammas = [(strength, strength / self._median_weight(variant)) for strength in self.strengths]
            rows.append(self._table_row(variant, 0.0, 0.0, self._limit_point(IMAGE_SETS, "g")))
            for strength, gamma in gammas:
                rows.append(
                    self._table_row(
                        variant, strength, gamma, self._clean_and_attacked(variant, strength, gamma, progress)
                    )
                )
            if variant.normalised or variant.oracle:  # the limit of Eq. 1 is R_i h_i, which is neither
                end = self._limit_point(IMAGE_SETS, "nearest" if variant.oracle else "h")
                rows.append(self._table_row(variant, float("inf"), float("inf"), end))
        progress.close()
        return rows

    def _measure_base(self, chunk: slice) -> dict:
        """Logits, R_i and nearest classes on clean images and on those of the attacks on g and on
        h.
        """
        run, images, labels = self.run, self.run.images[chunk], self.run.labels[chunk]
        attacked = [run.attack(network.torch_module, images, labels) for network in (run.g, run.h)]
        adversarial = [self._components_at(image_set) for image_set in (images, *attacked)]
        return {name: np.stack([one[name] for one in adversarial]) for name in adversarial[0]}

    def _components_at(self, images: torch.Tensor, variants: list[CurveVariant] | None = None) -> dict:
        """The components of the mixtures at these images: logits, nearest classes and R_i."""
        run, variants = self.run, variants or self.variants
        array = images.numpy()
        components = {"g": run.g.logits(array), "h": run.h.logits(array)}
        if any(variant.oracle for variant in variants):
            components["nearest"] = self.nearest.classes(array)
        g = h = (torch.from_numpy(components["g"]), None)
        if any(variant.choice != "one" for variant in variants):
            g = _detach(logits_and_jacobian(run.g.torch_module, images.clone().requires_grad_()))
        if any(needs_gradients_of_h(variant.choice) for variant in variants):
            h = _detach(logits_and_jacobian(run.h.torch_module, images.clone().requires_grad_()))
        for variant in variants:
            components[variant.weight_name] = local_weight(variant.choice, variant.scale, run.norm, g, h).numpy()
        return components

    def _median_weight(self, variant: CurveVariant) -> float:
        """The median over clean images of R_i for the class that g predicts."""
        values = []
        for base in self.base:
            r, answers = base[variant.weight_name][0], base["g"][0].argmax(axis=1)
            values.append(r[:, 0] if r.shape[1] == 1 else r[np.arange(len(r)), answers])
        return float(np.median(np.concatenate(values)))

    def _mixture(self, variant: CurveVariant, gamma: float, nearest: np.ndarray | None) -> GammaMixture:
        h = self.run.h.torch_module if not variant.oracle else ConstantOracle(_oracle_values(nearest, variant.scale))
        return GammaMixture(
            self.run.g.torch_module, h, gamma, variant.choice, variant.scale, self.run.norm, variant.normalised
        )

    def _is_correct(self, variant: CurveVariant, gamma: float, components: dict, labels: np.ndarray) -> np.ndarray:
        """Whether the mixture of these components has the right class, in float64."""
        mixture = self._mixture(variant, gamma, components.get("nearest"))
        values = mixture.h.values if variant.oracle else torch.from_numpy(components["h"])
        inputs = (torch.from_numpy(components["g"]), values, torch.from_numpy(components[variant.weight_name]))
        return mixture.combine(*(value.double() for value in inputs)).argmax(dim=1).numpy() == labels

    def _clean_and_attacked(
        self, variant: CurveVariant, strength: float, gamma: float, progress: tqdm
    ) -> list[np.ndarray]:
        """For each image: whether it is correct on clean data, and whether it stays correct under
        every attack.
        """
        chunk_results = []
        for number, (chunk, base) in enumerate(zip(self.chunks, self.base, strict=True)):
            labels = self.run.labels[chunk].numpy()
            sets = [
                self._is_correct(
                    variant, gamma, {name: value[i] for name, value in base.items() if name != "seconds"}, labels
                )
                for i in range(len(IMAGE_SETS))
            ]
            remaining = np.all(sets, axis=0)
            name = f"{variant.name}-{strength:g}-{number:03}"
            args = (variant, gamma, chunk, remaining, base)
            chunk_results.append(
                (sets[0], self.cache.get(name, lambda args=args: {"right": self._attack_remaining(*args)})["right"])
            )
            progress.update()
        return [np.concatenate(piece) for piece in zip(*chunk_results, strict=True)]

    def _attack_remaining(
        self, variant: CurveVariant, gamma: float, chunk: slice, remaining: np.ndarray, base: dict
    ) -> np.ndarray:
        """Attacks the images that are still correct, end to end. Returns which images stay correct."""
        right = remaining.copy()
        if remaining.any():
            images, labels = self.run.images[chunk][remaining], self.run.labels[chunk][remaining]
            nearest = base["nearest"][0][remaining] if variant.oracle else None
            adversarial = self.run.attack(self._mixture(variant, gamma, nearest), images, labels)
            right[remaining] = self._is_correct(
                variant, gamma, self._components_at(adversarial, [variant]), labels.numpy()
            )
        return right

    def _limit_point(self, sets: list[str], name: str) -> list[np.ndarray]:
        """The point at gamma 0 or infinity, where the mixture is g, h or the nearest neighbour
        alone.
        """
        labels = self.run.labels.numpy()
        values = np.concatenate([base[name] for base in self.base], axis=1)
        right = [(value if name == "nearest" else value.argmax(axis=1)) == labels for value in values]
        return [right[0], np.all(right, axis=0)]

    def _table_row(self, variant: CurveVariant, strength: float, gamma: float, right: list[np.ndarray]) -> dict:
        row = {"curve": variant.name, "strength": f"{strength:g}", "gamma": f"{gamma:.6g}", "images": len(right[0])}
        for kind, is_correct in zip(("clean", "attacked"), right, strict=True):
            row |= {f"{kind}_{name}": value for name, value in accuracy_columns(is_correct).items() if name != "images"}
        return row | self.run.description_columns()


def _oracle_values(classes: np.ndarray, scale: str) -> torch.Tensor:
    """+1 for the class and -1 for the others, as in the binary method. On the scale of
    probabilities: one-hot, in logarithms.
    """
    chosen = torch.nn.functional.one_hot(torch.from_numpy(classes), 10).float()
    return 2 * chosen - 1 if scale == "logits" else chosen.clamp_min(TINY).log()


def _detach(pair: tuple) -> tuple:
    return tuple(value.detach() for value in pair)


def run_curves(
    options: argparse.Namespace,
    name: str,
    variants: list[CurveVariant],
    styles: dict[str, tuple[str, str]],
    ends: dict[str, str],
) -> None:
    """Measures the curves of an experiment and draws them. `styles` and `ends` are those of `plot`."""
    csv, png = experiment.output_paths(options, name)
    if not options.plot_only:
        experiment_run = experiment.start_run(options)
        measured = TradeoffExperiment(experiment_run, name, variants, options.strengths)
        result_tables.write(csv, measured.measure_table(), experiment_run.g.identity, experiment_run.h.identity)
        experiment.print_completion(measured.cache, csv, png)
    plot(csv, png, variants, styles, ends)


def plot(csv, png, variants: list[CurveVariant], styles: dict[str, tuple[str, str]], ends: dict[str, str]) -> None:
    """Draws the curves, and beside them those that the authors measured too. `styles`: colour and
    line of each curve; `ends`: the label of a curve's end, by the curve's name.
    """
    rows = result_tables.read(csv)
    norm = rows[0]["norm"]
    authors_curves = {
        variant.name: points
        for variant in variants
        if (points := published_curves.attacked_against_clean(norm, variant.name))
    }
    if authors_curves:
        figure, (axes, authors_axes) = plotting.two_panels(width=13, same_axes=False)
        _plot_authors_curves(authors_axes, authors_curves, styles, norm)
    else:
        figure, axes = plotting.single_panel(width=8.4)
    for variant in variants:
        points = sorted((row for row in rows if row["curve"] == variant.name), key=lambda row: row["strength"])
        x, y = ([row[f"{kind}_accuracy"] for row in points] for kind in ("clean", "attacked"))
        colour, style = styles[variant.name]
        axes.plot(x, y, style, color=colour, marker=".", markersize=5, linewidth=1.4, label=variant.label)
        if variant.name in ends and points[-1]["strength"] == float("inf"):
            _annotate_point(axes, x[-1], y[-1], ends[variant.name])
    start = next(row for row in rows if row["strength"] == 0)
    _annotate_point(axes, start["clean_accuracy"], start["attacked_accuracy"], "g alone")
    widest = max(rows, key=lambda row: row["attacked_high"] - row["attacked_low"])
    half = (widest["attacked_high"] - widest["attacked_low"]) / 2
    axes.set(xlabel="clean accuracy (%)", ylabel="attacked accuracy (%), worst of three attacks", ylim=(-2, None))
    axes.set_title(
        plotting.attack_title(rows[0], "PGD-20") + f"\n95 % intervals of at most ± {half:.0f} points", fontsize=9
    )
    axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), fontsize=8, loc="outside right upper")
    plotting.save_figure(figure, png)


def _plot_authors_curves(
    axes, authors_curves: dict[str, published_curves.Points], styles: dict[str, tuple[str, str]], norm: str
) -> None:
    for name, points in authors_curves.items():
        colour, style = styles[name]
        axes.plot(*zip(*points), style, color=colour, marker=".", markersize=3, linewidth=1.4)
    axes.set_title(published_curves.figure_title(norm, "; norms at the largest outputs"), fontsize=9)
    axes.set(xlabel="clean accuracy (%)", ylabel="attacked accuracy (%), smaller of STD and MIX", ylim=(-2, None))
    axes.grid(alpha=0.3)


def _annotate_point(axes, x: float, y: float, words: str) -> None:
    axes.plot([x], [y], "o", color="black", markersize=6, zorder=5)
    axes.annotate(words, (x, y), textcoords="offset points", xytext=(6, 6), fontsize=8)
