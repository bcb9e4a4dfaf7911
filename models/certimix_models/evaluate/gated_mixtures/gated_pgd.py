"""PGD with 20 steps in l2 on the gated mixture and on the paper's, at the same clean accuracy.

Every attack runs on every image, and every adversarial image is tried on both mixtures. An image
withstands if no attack changes its right answer. The attacks that target the gate lower h's margin
below what opens it and then attack g; those on the open gate attack the mixture with weight alpha.
"""

import argparse
import sys

import numpy as np
import torch

from certimix_models import result_tables
from certimix_models.evaluate.attacks.ball_projection import project_into_open_ball
from certimix_models.evaluate.attacks.l2_attacks import minimise_margin
from certimix_models.evaluate.attacks.margin_functions import GatedMargin
from certimix_models.evaluate.attacks.pgd import pgd_attack
from certimix_models.evaluate.experiments.result_cache import RowCache
from certimix_models.evaluate.gated_mixtures.compared_mixtures import (
    SETTINGS,
    ComparedMixture,
    attack_reported_images,
    load_compared_mixtures,
)
from certimix_models.evaluate.gated_mixtures.gated_pgd_figure import draw_figure
from certimix_models.evaluate.mathematics.accuracy_interval import accuracy_columns
from certimix_models.evaluate.networks.bundled_model import load_model
from certimix_models.evaluate.networks.mixture import AlphaMixture, GatedMixture

EPSILONS = (36 / 255, 0.5)
CHUNK_IMAGES = 20
GATE_WIDTH = 0.1  # of the smooth stand-in for the gate, in probability
WORST, CERTIFIED = "all", "certified"


def run(options: argparse.Namespace) -> None:
    csv = options.out / "gated_pgd.csv"
    if not options.plot_only:
        torch.set_num_threads(options.threads)
        g, h = load_model(options.standard, options.threads), load_model(options.robust, options.threads)
        mixtures = load_compared_mixtures(options, g, h)
        rows = summarise(attack_images(options, mixtures), mixtures, options.steps)
        result_tables.write(csv, rows, g.identity, h.identity, result_tables.file_identity(options.out / SETTINGS))
    table = result_tables.read(csv)
    draw_figure(table, options.out / "gated_pgd.png")
    for row in table:
        print(
            f"{row['rule']:<6} {row['epsilon']:.4f} {row['attack']:<22} {row['accuracy']:5.1f} %"
            f" ({row['low']:.1f} to {row['high']:.1f})"
        )
    broken = int(sum(row["broken_certificates"] for row in table if row["attack"] == WORST))
    print(f"certificates at the attack's radius that broke: {broken}")
    sys.exit(1 if broken else 0)


def attack_images(options: argparse.Namespace, mixtures: list[ComparedMixture]) -> list[dict]:
    """One row for each image and radius: whether each mixture is right under each attack."""
    settings = {
        "models": [mixtures[0].g.sha256, mixtures[0].h.sha256],
        "mixtures": [mixture.settings() for mixture in mixtures],
        "epsilons": EPSILONS,
        "gate_width": GATE_WIDTH,
        "steps": options.steps,
        "seed": options.seed,
    }
    cache = RowCache(options.results_dir / "gated_pgd", settings)
    rows = attack_reported_images(options, cache, CHUNK_IMAGES, lambda *chunk: attack_chunk(mixtures, *chunk, options))
    return rows


def attack_chunk(
    mixtures: list[ComparedMixture],
    images: np.ndarray,
    labels: np.ndarray,
    indices: np.ndarray,
    options: argparse.Namespace,
) -> tuple[list[dict], dict]:
    """The rows of some images, and their adversarial images."""
    torch.manual_seed(options.seed * 100_000 + int(indices[0]))
    radii = {mixture.rule: mixture.certified_label_radii(images, labels) for mixture in mixtures}
    rows, kept = [], {}
    for epsilon in EPSILONS:
        columns = {}
        for name, adversarial in [("none", images), *attacks(mixtures, images, labels, epsilon, options.steps)]:
            inside = project_into_open_ball(images, adversarial, epsilon, "l2")
            logits = [model.logits(inside) for model in (mixtures[0].g, mixtures[0].h)]
            for mixture in mixtures:
                columns[f"{mixture.rule}: {name}"] = mixture.classes(*logits) == labels
            kept[f"{epsilon:.4f} {name}"] = inside
        for i, index in enumerate(indices):
            row = {"index": int(index), "epsilon": epsilon}
            row |= {f"{rule}: {CERTIFIED}": bool(of_rule[i] >= epsilon) for rule, of_rule in radii.items()}
            rows.append(row | {name: bool(column[i]) for name, column in columns.items()})
    return rows, kept


def attacks(mixtures: list[ComparedMixture], images: np.ndarray, labels: np.ndarray, epsilon: float, steps: int):
    """Yields each attack's name and its adversarial images."""
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    g = mixtures[0].g.torch_module
    targets = {"g": g}
    for mixture in mixtures:
        name = "mixture" if mixture.fallback_alpha == mixture.alpha else "open gate"
        targets[name] = AlphaMixture(g, mixture.tempered_h(), mixture.alpha)
        if name == "open gate":
            targets["h"] = mixture.tempered_h()
            gate = (g, mixture.tempered_h(), mixture.alpha, mixture.fallback_alpha)
            targets["smooth gate"] = GatedMixture(*gate, gate_width=GATE_WIDTH)
            margin = GatedMargin(*gate, y)
    for name, target in targets.items():
        yield name, pgd_attack(target, x, y, "l2", epsilon, steps).numpy()
    yield "gate, then g", minimise_margin(margin, x, torch.full((len(x),), epsilon), steps).numpy()


def summarise(rows: list[dict], mixtures: list[ComparedMixture], steps: int) -> list[dict]:
    """One row for each rule, radius and attack; accuracies in per cent, with exact intervals."""
    table = []
    for epsilon in EPSILONS:
        selected = [row for row in rows if row["epsilon"] == epsilon]
        for mixture in mixtures:
            prefix = f"{mixture.rule}: "
            columns = {
                name.removeprefix(prefix): np.array([row[name] for row in selected])
                for name in selected[0]
                if name.startswith(prefix)
            }
            certified = columns.pop(CERTIFIED)
            columns[WORST] = np.all(list(columns.values()), axis=0)
            broken = {name: int((certified & ~is_right).sum()) for name, is_right in columns.items()}
            columns[CERTIFIED] = certified
            for name, is_right in columns.items():
                table.append(
                    mixture.settings()
                    | {"epsilon": f"{epsilon:.6g}", "steps": steps, "attack": name}
                    | accuracy_columns(is_right)
                    | {"broken_certificates": broken.get(name, "")}
                )
    return table
