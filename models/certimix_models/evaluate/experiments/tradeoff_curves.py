"""Curves of attacked against clean accuracy over gamma, for Eq. 1 to 3: what choice_of_r.py and smoothing.py share.

An image counts as attacked successfully if STD (PGD-20 on g), ROB (on h) or MIX (end to end on this very mixture)
succeeds; the paper's code takes the smaller accuracy of STD and MIX. MIX is only run on images that the other two
leave. Classes come from ONNX Runtime's logits; R_i, which needs gradients, is torch's at the same image.

gamma is chosen per curve so that `strength`, gamma times the median R_i of clean images (for g's class), runs over
the same values for each.
"""

from dataclasses import dataclass

import accuracy
import figures
import numpy as np
import paper_curves
import runs
import torch
from mixture import TINY, Direction, Mixture, importance, jacobian, needs_gradients_of_h
from nearest import Nearest
from runs import Run, Store
from tqdm import tqdm
from training import tables

CHUNK = 25
STRENGTHS = [0.5, 1.0, 2.0, 5.0, 20.0]
SETS = ["clean", "STD", "ROB"]


@dataclass(frozen=True)
class Variant:
    name: str
    label: str
    choice: str
    scale: str
    normalised: bool = True
    oracle: bool = False  # the nearest neighbour's class in the place of h

    @property
    def importance(self) -> str:
        return f"{self.choice}-{self.scale}"


class Curves:
    def __init__(self, run: Run, experiment: str, variants: list[Variant], strengths: list[float]):
        self.run, self.variants, self.strengths = run, variants, strengths
        self.store = Store(run, experiment, variants=[vars(variant) for variant in variants], strengths=strengths)
        self.nearest = (
            Nearest(run.cifar10.train_images, run.cifar10.train_labels) if any(v.oracle for v in variants) else None
        )
        self.chunks = run.chunks(CHUNK)

    def table(self) -> list[dict]:
        progress = tqdm(total=len(self.chunks) * (1 + len(self.variants) * len(self.strengths)), mininterval=2)
        self.base = []
        for number, chunk in enumerate(self.chunks):
            self.base.append(self.store.get(f"base-{number:03}", lambda chunk=chunk: self._base(chunk)))
            progress.update()
        rows = []
        for variant in self.variants:
            gammas = [(strength, strength / self._typical(variant)) for strength in self.strengths]
            rows.append(self._point(variant, 0.0, 0.0, self._at_an_end(SETS, "g")))
            for strength, gamma in gammas:
                rows.append(self._point(variant, strength, gamma, self._survived(variant, strength, gamma, progress)))
            if variant.normalised or variant.oracle:  # the limit of Eq. 1 is R_i h_i, which is neither
                end = self._at_an_end(SETS, "nearest" if variant.oracle else "h")
                rows.append(self._point(variant, float("inf"), float("inf"), end))
        progress.close()
        return rows

    def _base(self, chunk: slice) -> dict:
        """Logits, importances and nearest classes on clean images and on those of the attacks on g and on h."""
        run, images, labels = self.run, self.run.images[chunk], self.run.labels[chunk]
        attacked = [run.attack(network.torch, images, labels) for network in (run.g, run.h)]
        found = [self._observe(given) for given in (images, *attacked)]
        return {name: np.stack([one[name] for one in found]) for name in found[0]}

    def _observe(self, images: torch.Tensor, variants: list[Variant] | None = None) -> dict:
        """What a mixture is made of, at these images."""
        run, variants = self.run, variants or self.variants
        array = images.numpy()
        seen = {"g": run.g.logits(array), "h": run.h.logits(array)}
        if any(variant.oracle for variant in variants):
            seen["nearest"] = self.nearest.classes(array)
        g = h = (torch.from_numpy(seen["g"]), None)
        if any(variant.choice != "one" for variant in variants):
            g = _detached(jacobian(run.g.torch, images.clone().requires_grad_()))
        if any(needs_gradients_of_h(variant.choice) for variant in variants):
            h = _detached(jacobian(run.h.torch, images.clone().requires_grad_()))
        for variant in variants:
            seen[variant.importance] = importance(variant.choice, variant.scale, run.norm, g, h).numpy()
        return seen

    def _typical(self, variant: Variant) -> float:
        """The median over clean images of R_i for the class that g answers."""
        values = []
        for base in self.base:
            r, answers = base[variant.importance][0], base["g"][0].argmax(axis=1)
            values.append(r[:, 0] if r.shape[1] == 1 else r[np.arange(len(r)), answers])
        return float(np.median(np.concatenate(values)))

    def _mixture(self, variant: Variant, gamma: float, nearest: np.ndarray | None) -> Mixture:
        h = self.run.h.torch if not variant.oracle else Direction(_direction(nearest, variant.scale))
        return Mixture(self.run.g.torch, h, gamma, variant.choice, variant.scale, self.run.norm, variant.normalised)

    def _right(self, variant: Variant, gamma: float, seen: dict, labels: np.ndarray) -> np.ndarray:
        """In double precision."""
        mixture = self._mixture(variant, gamma, seen.get("nearest"))
        values = mixture.h.values if variant.oracle else torch.from_numpy(seen["h"])
        given = (torch.from_numpy(seen["g"]), values, torch.from_numpy(seen[variant.importance]))
        return mixture.combine(*(value.double() for value in given)).argmax(dim=1).numpy() == labels

    def _survived(self, variant: Variant, strength: float, gamma: float, progress: tqdm) -> list[np.ndarray]:
        """Whether each image is right on clean data, and whether it stays so under every attack."""
        pieces = []
        for number, (chunk, base) in enumerate(zip(self.chunks, self.base, strict=True)):
            labels = self.run.labels[chunk].numpy()
            sets = [
                self._right(
                    variant, gamma, {name: value[i] for name, value in base.items() if name != "seconds"}, labels
                )
                for i in range(len(SETS))
            ]
            left = np.all(sets, axis=0)
            name = f"{variant.name}-{strength:g}-{number:03}"
            args = (variant, gamma, chunk, left, base)
            pieces.append((sets[0], self.store.get(name, lambda args=args: {"right": self._attacked(*args)})["right"]))
            progress.update()
        return [np.concatenate(piece) for piece in zip(*pieces, strict=True)]

    def _attacked(self, variant: Variant, gamma: float, chunk: slice, left: np.ndarray, base: dict) -> np.ndarray:
        right = left.copy()
        if left.any():
            images, labels = self.run.images[chunk][left], self.run.labels[chunk][left]
            nearest = base["nearest"][0][left] if variant.oracle else None
            found = self.run.attack(self._mixture(variant, gamma, nearest), images, labels)
            right[left] = self._right(variant, gamma, self._observe(found, [variant]), labels.numpy())
        return right

    def _at_an_end(self, sets: list[str], name: str) -> list[np.ndarray]:
        """At gamma 0 and without end the mixture is g, h or the nearest neighbour alone."""
        labels = self.run.labels.numpy()
        values = np.concatenate([base[name] for base in self.base], axis=1)
        right = [(value if name == "nearest" else value.argmax(axis=1)) == labels for value in values]
        return [right[0], np.all(right, axis=0)]

    def _point(self, variant: Variant, strength: float, gamma: float, right: list[np.ndarray]) -> dict:
        row = {"curve": variant.name, "strength": f"{strength:g}", "gamma": f"{gamma:.6g}", "images": len(right[0])}
        for kind, hits in zip(("clean", "attacked"), right, strict=True):
            row |= {f"{kind}_{name}": value for name, value in accuracy.row(hits).items() if name != "images"}
        return row | self.run.described()


def _direction(classes: np.ndarray, scale: str) -> torch.Tensor:
    """+1 for the class and -1 for the others, as a binary oracle has it; as probabilities one-hot, in logarithms."""
    chosen = torch.nn.functional.one_hot(torch.from_numpy(classes), 10).float()
    return 2 * chosen - 1 if scale == "logits" else chosen.clamp_min(TINY).log()


def _detached(pair: tuple) -> tuple:
    return tuple(value.detach() for value in pair)


def main(
    doc: str, experiment: str, images: int, variants: list[Variant], styles: dict[str, tuple[str, str]], ends: dict[str, str]
) -> None:
    """The command of an experiment: measures its curves and draws them. `styles` and `ends` are those of `plot`."""
    parser = runs.parser(doc, images)
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS, help="gamma times the median of R_i")
    options = parser.parse_args()
    csv, png = runs.outputs(options, experiment)
    if not options.plot_only:
        run = runs.start(options)
        measured = Curves(run, experiment, variants, options.strengths)
        tables.write(csv, measured.table(), run.g.identity, run.h.identity)
        runs.finished(measured.store, csv, png)
    plot(csv, png, variants, styles, ends)


def plot(csv, png, variants: list[Variant], styles: dict[str, tuple[str, str]], ends: dict[str, str]) -> None:
    """`styles`: colour and line of each curve; `ends`: the words for a curve's end, by the curve's name. Curves that the authors
    measured too are drawn beside ours."""
    rows = tables.read(csv)
    norm = rows[0]["norm"]
    theirs = {variant.name: points for variant in variants if (points := paper_curves.attacked_against_clean(norm, variant.name))}
    if theirs:
        figure, (axes, beside) = figures.two(width=13, same_axes=False)
        _draw_theirs(beside, theirs, styles, norm)
    else:
        figure, axes = figures.new(width=8.4)
    for variant in variants:
        points = sorted((row for row in rows if row["curve"] == variant.name), key=lambda row: row["strength"])
        x, y = ([row[f"{kind}_accuracy"] for row in points] for kind in ("clean", "attacked"))
        colour, line = styles[variant.name]
        axes.plot(x, y, line, color=colour, marker=".", markersize=5, linewidth=1.4, label=variant.label)
        if variant.name in ends and points[-1]["strength"] == float("inf"):
            _mark(axes, x[-1], y[-1], ends[variant.name])
    start = next(row for row in rows if row["strength"] == 0)
    _mark(axes, start["clean_accuracy"], start["attacked_accuracy"], "g alone")
    widest = max(rows, key=lambda row: row["attacked_high"] - row["attacked_low"])
    half = (widest["attacked_high"] - widest["attacked_low"]) / 2
    axes.set(xlabel="clean accuracy (%)", ylabel="attacked accuracy (%), worst of three attacks", ylim=(-2, None))
    axes.set_title(figures.threat(rows[0], "PGD-20") + f"\n95 % intervals of at most ± {half:.0f} points", fontsize=9)
    axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), fontsize=8, loc="outside right upper")
    figures.save(figure, png)


def _draw_theirs(axes, theirs: dict[str, paper_curves.Points], styles: dict[str, tuple[str, str]], norm: str) -> None:
    for name, points in theirs.items():
        colour, line = styles[name]
        axes.plot(*zip(*points), line, color=colour, marker=".", markersize=3, linewidth=1.4)
    axes.set_title(paper_curves.title(norm, "; norms at the largest outputs"), fontsize=9)
    axes.set(xlabel="clean accuracy (%)", ylabel="attacked accuracy (%), smaller of STD and MIX", ylim=(-2, None))
    axes.grid(alpha=0.3)


def _mark(axes, x: float, y: float, words: str) -> None:
    axes.plot([x], [y], "o", color="black", markersize=6, zorder=5)
    axes.annotate(words, (x, y), textcoords="offset points", xytext=(6, 6), fontsize=8)
