"""AutoAttack on the mixture at several alphas: in l-infinity with the adversarially trained h, in
l2 with the Lipschitz h.

Each image is first tried with the adversarial images of other alphas. PGD-20 as in `alpha_curve`,
the worst of STD, ROB and MIX, runs on the same images. An image counts as broken only if ONNX
Runtime, on the bundled files and mixed in float64, gives another class at a distance measured in
float64.
"""

import argparse
import sys
from dataclasses import dataclass

import numpy as np
import torch
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT
from pyautoattack.square import SquareAttack
from tqdm import tqdm

from certimix_models import result_tables
from certimix_models.dataset.cifar10 import Cifar10, load_cifar10
from certimix_models.evaluate.attacks.ball_projection import project_into_open_ball
from certimix_models.evaluate.attacks.pgd import pgd_attack
from certimix_models.evaluate.defaults import PGD_STEPS
from certimix_models.evaluate.experiments.autoattack_figure import draw_figure
from certimix_models.evaluate.experiments.experiment import evenly_spaced
from certimix_models.evaluate.experiments.result_cache import RowCache
from certimix_models.evaluate.mathematics import certificate_formulas
from certimix_models.evaluate.mathematics.accuracy_interval import accuracy_columns
from certimix_models.evaluate.networks.bundled_model import (
    BundledModel,
    TemperatureScaled,
    load_model,
    pixels_to_floats,
)
from certimix_models.evaluate.networks.mixture import AlphaMixture

EPSILON = {"linf": 8 / 255, "l2": 36 / 255}
CHUNK_IMAGES = 10
WRONG, HELD = "wrong", "held"  # wrong without any attack; correct under all of them
ATTACKS = ["apgd-ce", "apgd-t", "fab-t", "square"]


@dataclass(frozen=True)
class AutoAttackBudget:
    """The numbers of steps, targets and queries. `--full` uses AutoAttack's own."""

    steps: int = 50
    targets: int = 3
    queries: int = 250
    fab: bool = False

    def description(self) -> str:
        return f"{self.steps} steps; {self.targets} targets; {self.queries} queries" + "; FAB" * self.fab


FULL_BUDGET = AutoAttackBudget(steps=100, targets=9, queries=5000, fab=True)


@dataclass(frozen=True)
class AttackCase:
    """One norm, with its models and settings."""

    norm: str
    g: BundledModel
    h: BundledModel
    temperature: float
    alphas: list[float]
    budget: AutoAttackBudget
    seed: int


def run(options: argparse.Namespace) -> None:
    table, images_table = options.out / "autoattack.csv", options.out / "autoattack_images.csv"
    if not options.plot_only:
        torch.set_num_threads(options.threads)
        cifar10 = load_cifar10(options.work_dir)
        selected = evenly_spaced(options.images, cifar10)
        for norm in EPSILON if options.case == "both" else (options.case,):
            rows, sources = attack_norm(norm, options, cifar10, selected)
            # The rows of the other norm stay unchanged.
            result_tables.replace_part(
                images_table, rows, lambda row, norm=norm: row["norm"] == norm, *sources, part=norm
            )
            result_tables.write(
                table, summarise(result_tables.read(images_table)), result_tables.file_identity(images_table)
            )
    rows = result_tables.read(table)
    draw_figure(rows, options.out / "autoattack.png")
    sys.exit(1 if print_summary(rows) else 0)


def attack_norm(
    norm: str, options: argparse.Namespace, cifar10: Cifar10, selected: np.ndarray
) -> tuple[list[dict], list[tuple[str, str]]]:
    """The rows of the images, and the identities of the models."""
    robust, temperature = (options.adversarial, 1.0) if norm == "linf" else (options.lipschitz, options.temperature)
    g, h = load_model(options.standard, options.threads), load_model(robust, options.threads)
    budget = FULL_BUDGET if options.full else AutoAttackBudget()
    # h alone comes first: an image that breaks it breaks most mixtures, and h is the cheapest to
    # attack.
    case = AttackCase(norm, g, h, temperature, sorted(options.alphas, reverse=True), budget, options.seed)
    settings = {
        "models": [g.sha256, h.sha256],
        "images": len(selected),
        "epsilon": EPSILON[norm],
        "effort": vars(budget),
    }
    settings |= {"temperature": temperature, "alphas": case.alphas, "seed": options.seed}
    chunks, rows = RowCache(options.results_dir / "autoattack" / norm, settings), []
    pgd_chunks = RowCache(options.results_dir / "autoattack" / f"{norm}-pgd", settings | {"effort": PGD_STEPS})
    with tqdm(total=len(selected), desc=norm, unit="image") as progress:
        for start in range(0, len(selected), CHUNK_IMAGES):
            part = selected[start : start + CHUNK_IMAGES]
            images, labels = (pixels_to_floats(cifar10.test_images[part]), cifar10.test_labels[part].astype(np.int64))
            attack_rows = chunks.get(
                f"{start:05}", lambda x=images, y=labels, part=part: attack_chunk(case, x, y, part)
            )
            pgd_rows = pgd_chunks.get(f"{start:05}", lambda x=images, y=labels: (pgd_columns(case, x, y), {}))
            rows += [row | columns for row, columns in zip(attack_rows, pgd_rows, strict=True)]
            progress.update(len(part))
    print(f"{norm}: {chunks.time_taken()}; the adversarial images are in {chunks.folder}")
    return rows, [g.identity, h.identity]


def attack_chunk(
    case: AttackCase, images: np.ndarray, labels: np.ndarray, indices: np.ndarray
) -> tuple[list[dict], dict]:
    """One row for each image, with its state at each alpha; and the adversarial images, [alphas, N,
    ...].
    """
    states, adversarial_images = {}, np.tile(images, (len(case.alphas), 1, 1, 1, 1))
    for k, alpha in enumerate(case.alphas):
        answers = predicted_classes(case, alpha, images)
        state = states[alpha] = np.array([HELD if right else WRONG for right in answers == labels], dtype=object)
        _try_other_alphas(case, alpha, state, adversarial_images[k], adversarial_images, labels, states)
        network = AlphaMixture(case.g.torch_module, TemperatureScaled(case.h.torch_module, case.temperature), alpha)
        for name in ATTACKS if case.budget.fab else [name for name in ATTACKS if name != "fab-t"]:
            remaining = np.flatnonzero(state == HELD)
            if len(remaining) == 0:
                break
            adversarial = run_attack(name, network, case, images[remaining], labels[remaining], int(indices[0]))
            adversarial = project_into_open_ball(images[remaining], adversarial, EPSILON[case.norm], case.norm)
            broken = remaining[predicted_classes(case, alpha, adversarial) != labels[remaining]]
            adversarial_images[k][broken] = adversarial[np.searchsorted(remaining, broken)]
            state[broken] = name
    for k, alpha in enumerate(case.alphas):  # once more, with the images that were found at later alphas
        _try_other_alphas(case, alpha, states[alpha], adversarial_images[k], adversarial_images, labels, states)
    head = {"norm": case.norm, "temperature": case.temperature, "attack": case.budget.description()}
    rows = [head | {"index": int(i), "label": int(y)} for i, y in zip(indices, labels, strict=True)]
    for i, row in enumerate(rows):
        row |= {f"alpha {alpha:g}": str(states[alpha][i]) for alpha in case.alphas}
    for alpha in case.alphas:
        for row, radius in zip(rows, certified_label_radii(case, alpha, images, labels), strict=True):
            row |= {f"radius {alpha:g}": f"{radius:.6g}"} if radius is not None else {}
    return rows, {"index": indices, "images": images, "adversarial": adversarial_images, "alphas": case.alphas}


def pgd_columns(case: AttackCase, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """For each image and alpha: 1 if it is correct, and stays correct under PGD-20 on g, on h and
    on the mixture.
    """

    def attacked(alpha: float) -> np.ndarray:
        network = AlphaMixture(case.g.torch_module, TemperatureScaled(case.h.torch_module, case.temperature), alpha)
        return pgd_attack(
            network, torch.from_numpy(images), torch.from_numpy(labels), case.norm, EPSILON[case.norm]
        ).numpy()

    adversarial = {alpha: attacked(alpha) for alpha in {0, 1, *case.alphas}}
    rows: list[dict] = [{} for _ in labels]
    for alpha in case.alphas:
        right = np.all(
            [
                predicted_classes(case, alpha, tried) == labels
                for tried in (images, adversarial[0], adversarial[1], adversarial[alpha])
            ],
            axis=0,
        )
        for row, held in zip(rows, right, strict=True):
            row[f"pgd {alpha:g}"] = int(held)
    return rows


def predicted_classes(case: AttackCase, alpha: float, images: np.ndarray) -> np.ndarray:
    """The mixture's classes, by ONNX Runtime, mixed in float64."""
    log_g = certificate_formulas.log_probabilities(case.g.logits(images))
    log_h = certificate_formulas.log_probabilities(case.h.logits(images), case.temperature)
    return certificate_formulas.log_mixture(alpha, log_g, log_h).argmax(axis=1)


def _try_other_alphas(
    case: AttackCase,
    alpha: float,
    state,
    own_images: np.ndarray,
    adversarial_images: np.ndarray,
    labels: np.ndarray,
    states: dict,
) -> None:
    """Tries the images that are not broken yet with the adversarial images of other alphas."""
    for k, other in enumerate(case.alphas):
        if other == alpha or other not in states:
            continue
        tried = np.flatnonzero((state == HELD) & (states[other] != HELD) & (states[other] != WRONG))
        if len(tried):
            broken = tried[predicted_classes(case, alpha, adversarial_images[k][tried]) != labels[tried]]
            own_images[broken] = adversarial_images[k][broken]
            state[broken] = f"transfer from alpha {other:g}"


def run_attack(
    name: str, network: torch.nn.Module, case: AttackCase, images: np.ndarray, labels: np.ndarray, first: int
) -> np.ndarray:
    """The adversarial images of one attack."""
    budget = case.budget
    common = {
        "norm": "Linf" if case.norm == "linf" else "L2",
        "eps": EPSILON[case.norm],
        "n_restarts": 1,
        "device": "cpu",
    }
    common["seed"] = case.seed * 100_000 + first
    if name == "apgd-ce":
        attack = APGDAttack(network, n_iter=budget.steps, loss="ce", **common)
    elif name == "apgd-t":
        attack = APGDAttack_targeted(network, n_iter=budget.steps, n_target_classes=budget.targets, **common)
    elif name == "fab-t":
        attack = FABAttack_PT(network, n_iter=budget.steps, n_target_classes=budget.targets, targeted=True, **common)
    else:
        # With fewer queries than AutoAttack's, the size of the squares follows their number.
        attack = SquareAttack(
            network, n_queries=budget.queries, p_init=0.8, resc_schedule=budget != FULL_BUDGET, **common
        )
    with torch.no_grad():
        return attack.perturb(torch.from_numpy(images), torch.from_numpy(labels)).numpy()


def certified_label_radii(case: AttackCase, alpha: float, images: np.ndarray, labels: np.ndarray) -> list[float | None]:
    """If h has a proof in this norm: the radius where the certified class is the right one, else 0."""
    guarantee = case.h.manifest["guarantee"]
    if guarantee["kind"] != "lipschitz_logits" or guarantee["norm"] != case.norm or alpha <= 0.5:
        return [None] * len(labels)
    logits = case.h.logits(images)
    radii = certificate_formulas.logit_radius(alpha, logits, case.temperature, guarantee)
    return np.where(logits.argmax(axis=1) == labels, radii.clip(0), 0.0).tolist()


def summarise(rows: list[dict]) -> list[dict]:
    """One row for each norm and alpha; accuracies in per cent, with exact 95 % intervals."""
    result = []
    for norm in EPSILON:
        selected = [row for row in rows if row["norm"] == norm]
        if not selected:
            continue
        for column in sorted(
            (name for name in selected[0] if name.startswith("alpha ")), key=lambda name: float(name[6:])
        ):
            states = np.array([row[column] for row in selected])
            if (states == "").all():
                continue
            epsilon, radii = (EPSILON[norm], [row.get(f"radius {column[6:]}", "") for row in selected])
            proven = np.array([radius != "" and radius >= epsilon for radius in radii])
            line = {"norm": norm, "epsilon": f"{epsilon:.6g}", "temperature": selected[0]["temperature"]}
            line |= {"attack": selected[0]["attack"], "alpha": column[6:]}
            pgd_held = np.array([row[f"pgd {column[6:]}"] == 1 for row in selected])
            for name, is_correct in (
                ("clean", states != WRONG),
                ("pgd", pgd_held),
                ("attacked", states == HELD),
                ("certified", proven),
            ):
                line |= {
                    f"{name}_{key}": value for key, value in accuracy_columns(is_correct).items() if key != "images"
                }
            if all(radius == "" for radius in radii):
                line |= {name: "" for name in line if name.startswith("certified_")}
            line |= {"images": len(selected), "broken_certificates": int((proven & (states != HELD)).sum())}
            line |= {name: int((states == name).sum()) for name in ATTACKS}
            line["transfer"] = int(sum(state.startswith("transfer") for state in states))
            result.append(line)
    return result


def print_summary(rows: list[dict]) -> int:
    """Prints the table. Returns how many certificates broke."""
    for row in rows:
        parts = [f"{row['norm']} {row['epsilon']:.4f} alpha {row['alpha']:<4g}"]
        for name in ("clean", "pgd", "attacked", "certified"):
            if row[f"{name}_accuracy"] != "":
                parts.append(
                    f"{name} {row[f'{name}_accuracy']:.1f} % [{row[f'{name}_low']:.1f}, {row[f'{name}_high']:.1f}]"
                )
        by = ", ".join(f"{name} {row[name]:g}" for name in (*ATTACKS, "transfer") if row[name])
        print("  ".join(parts) + f"  broken by {by or 'none'}")
    broken = int(sum(row["broken_certificates"] for row in rows))
    print(f"certificates at the attack's radius that broke: {broken}")
    return broken
