"""AutoAttack in l2 on the gated mixture and on the paper's, at the same clean accuracy.

The gate has no gradient. So the gated mixture is attacked through an open gate and through a smooth
one, by lowering first the gate's margin and then that of g, and by Square, which needs no gradient,
through the exact gate. Each mixture is also tried with the images that broke the other. An image
counts as broken only if ONNX Runtime, mixed in float64, gives another class inside the ball.
"""

import argparse
import sys
from collections import Counter

import numpy as np
import torch

from certimix_models import result_tables
from certimix_models.evaluate.attacks.ball_projection import project_into_open_ball
from certimix_models.evaluate.attacks.l2_attacks import minimise_margin
from certimix_models.evaluate.attacks.margin_functions import GatedMargin
from certimix_models.evaluate.experiments.autoattack import EPSILON, AttackCase, AutoAttackBudget, run_attack
from certimix_models.evaluate.experiments.result_cache import RowCache
from certimix_models.evaluate.gated_mixtures.compared_mixtures import (
    SETTINGS,
    ComparedMixture,
    attack_reported_images,
    load_compared_mixtures,
)
from certimix_models.evaluate.gated_mixtures.gated_autoattack_figure import draw_figure
from certimix_models.evaluate.gated_mixtures.gated_pgd import GATE_WIDTH
from certimix_models.evaluate.mathematics.accuracy_interval import accuracy_columns
from certimix_models.evaluate.networks.bundled_model import load_model
from certimix_models.evaluate.networks.mixture import AlphaMixture, GatedMixture

CHUNK_IMAGES = 10
RADIUS = EPSILON["l2"]
WRONG, HELD = "wrong", "held"  # wrong without any attack; right under all of them


def run(options: argparse.Namespace) -> None:
    csv = options.out / "gated_autoattack.csv"
    if not options.plot_only:
        torch.set_num_threads(options.threads)
        g, h = load_model(options.standard, options.threads), load_model(options.robust, options.threads)
        mixtures = load_compared_mixtures(options, g, h)
        table = [summarise(mixture, rows) for mixture, rows in attack_images(options, mixtures)]
        result_tables.write(csv, table, g.identity, h.identity, result_tables.file_identity(options.out / SETTINGS))
    table = result_tables.read(csv)
    draw_figure(table, options.out / "gated_autoattack.png")
    for row in table:
        shares = (f"{kind} {row[f'{kind}_accuracy']:.1f} %" for kind in ("clean", "attacked", "certified"))
        print(f"{row['rule']}: {', '.join(shares)}; broken by {row['broken_by']}")
    broken = int(sum(row["broken_certificates"] for row in table))
    print(f"certificates at the attack's radius that broke: {broken}")
    sys.exit(1 if broken else 0)


def attack_images(
    options: argparse.Namespace, mixtures: list[ComparedMixture]
) -> list[tuple[ComparedMixture, list[dict]]]:
    """Each mixture with a row for each image: its state, and its certified radius for its label."""
    budget = AutoAttackBudget()
    settings = {
        "models": [mixtures[0].g.sha256, mixtures[0].h.sha256],
        "mixtures": [mixture.settings() for mixture in mixtures],
        "epsilon": RADIUS,
        "gate_width": GATE_WIDTH,
        "effort": vars(budget),
        "seed": options.seed,
    }
    cache = RowCache(options.results_dir / "gated_autoattack", settings)
    rows = attack_reported_images(
        options, cache, CHUNK_IMAGES, lambda *chunk: attack_chunk(mixtures, *chunk, budget, options.seed)
    )
    return [(mixture, [row for row in rows if row["rule"] == mixture.rule]) for mixture in mixtures]


def attack_chunk(
    mixtures: list[ComparedMixture],
    images: np.ndarray,
    labels: np.ndarray,
    indices: np.ndarray,
    budget: AutoAttackBudget,
    seed: int,
) -> tuple[list[dict], dict]:
    """A row for each mixture and image, and the adversarial images of each mixture."""
    torch.manual_seed(seed * 100_000 + int(indices[0]))
    states, adversarial_images = {}, {}
    for mixture in mixtures:
        is_right = mixture.is_right(images, labels)
        state = states[mixture.rule] = np.where(is_right, HELD, WRONG).astype(object)
        found = adversarial_images[mixture.rule] = images.copy()
        for other, images_of_other in adversarial_images.items():
            if other != mixture.rule:
                try_images(mixture, f"transfer from {other}", images, images_of_other, labels, state, found)
        case = AttackCase("l2", mixture.g, mixture.h, mixture.temperature, [], budget, seed)
        for name, attack in attacks(mixture, case, int(indices[0])):
            remaining = np.flatnonzero(state == HELD)
            if len(remaining) == 0:
                break
            tried = images.copy()
            tried[remaining] = attack(images[remaining], labels[remaining])
            try_images(mixture, name, images, tried, labels, state, found)
    for mixture in mixtures:  # once more, with what was found later
        for other, images_of_other in adversarial_images.items():
            if other != mixture.rule:
                name, state = f"transfer from {other}", states[mixture.rule]
                try_images(mixture, name, images, images_of_other, labels, state, adversarial_images[mixture.rule])
    rows = []
    for mixture in mixtures:
        radii = mixture.certified_label_radii(images, labels).tolist()
        rows += [
            {"rule": mixture.rule, "index": int(index), "state": str(state), "radius": radius}
            for index, state, radius in zip(indices, states[mixture.rule], radii, strict=True)
        ]
    return rows, {"index": indices, "images": images} | adversarial_images


def attacks(mixture: ComparedMixture, case: AttackCase, first: int):
    """Yields the name of each attack and a function of images and labels."""
    g, h = mixture.g.torch_module, mixture.tempered_h()
    gate = (g, h, mixture.alpha, mixture.fallback_alpha)
    is_gated = mixture.fallback_alpha < mixture.alpha
    networks = {"open gate" if is_gated else "mixture": AlphaMixture(g, h, mixture.alpha)}
    if is_gated:
        networks["smooth gate"] = GatedMixture(*gate, gate_width=GATE_WIDTH)
    for target, network in networks.items():
        for name in ("apgd-ce", "apgd-t"):
            yield (
                f"{name} on the {target}",
                lambda x, y, name=name, network=network: run_attack(name, network, case, x, y, first),
            )
    if is_gated:
        yield "gate, then g", lambda x, y: lower_gated_margin(gate, x, y, case.budget.steps)
    exact = GatedMixture(*gate)
    yield "square", lambda x, y: run_attack("square", exact, case, x, y, first)


def lower_gated_margin(gate: tuple, images: np.ndarray, labels: np.ndarray, steps: int) -> np.ndarray:
    """The images that the attack on the gate and then on g finds."""
    margin, radius = GatedMargin(*gate, torch.from_numpy(labels)), torch.full((len(images),), RADIUS)
    return minimise_margin(margin, torch.from_numpy(images), radius, steps, random_start=True).numpy()


def try_images(
    mixture: ComparedMixture,
    name: str,
    images: np.ndarray,
    tried: np.ndarray,
    labels: np.ndarray,
    state: np.ndarray,
    found: np.ndarray,
) -> None:
    """Marks the images that are broken by these adversarial ones, and keeps the latter in `found`."""
    inside = project_into_open_ball(images, tried, RADIUS, "l2")
    broken = (state == HELD) & ~mixture.is_right(inside, labels)
    found[broken], state[broken] = inside[broken], name


def summarise(mixture: ComparedMixture, rows: list[dict]) -> dict:
    """The row of a mixture; accuracies in per cent, with exact intervals."""
    states = np.array([row["state"] for row in rows])
    certified = np.array([row["radius"] >= RADIUS for row in rows])
    line = mixture.settings() | {"epsilon": f"{RADIUS:.6g}", "attack": AutoAttackBudget().description()}
    line["images"] = len(rows)
    for name, is_right in (("clean", states != WRONG), ("attacked", states == HELD), ("certified", certified)):
        columns = accuracy_columns(is_right)
        line |= {f"{name}_{key}": value for key, value in columns.items() if key != "images"}
    line["broken_certificates"] = int((certified & (states != HELD)).sum())
    counts = Counter(state for state in states if state not in (WRONG, HELD))
    return line | {"broken_by": "; ".join(f"{name} {count}" for name, count in counts.most_common())}
