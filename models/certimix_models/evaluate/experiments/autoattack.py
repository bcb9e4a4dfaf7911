#!/usr/bin/env python3
"""AutoAttack on the mixture at several alphas: in l-infinity with the adversarially trained h, in l2 with the Lipschitz one.

    python models/evaluate/paper/autoattack.py                  # both cases, some twenty minutes each at most
    python models/evaluate/paper/autoattack.py --case linf --images 1000 --full

alpha 0 is g alone, alpha 1 is h alone. The attacks are the authors' own (PyPI: pyautoattack): APGD on the cross entropy, targeted APGD on
DLR, Square, and with --full targeted FAB; the numbers of steps, targets and queries are AutoAttack's with --full, fewer without. Before
them each image is tried with what broke it at another alpha. Beside them stands PGD-20 as in alpha_curve.py, the worst of STD, ROB and
MIX, on the same images. An image counts as broken only if ONNX Runtime, on the bundled files and
mixed in float64, says so at a distance measured in float64.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import accuracy
import attacks
import autoattack_figure
import ball
import exact
import models
import numpy as np
import runs
import torch
from chunks import Chunks
from mixture import AlphaMixture
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT
from pyautoattack.square import SquareAttack
from runs import BUNDLED
from tqdm import tqdm
from training import data, tables

EPSILON = {"linf": 8 / 255, "l2": 36 / 255}
SIZE = 10  # images a chunk
WRONG, HELD = "wrong", "held"  # wrong without any attack; right under all of them
ATTACKS = ["apgd-ce", "apgd-t", "fab-t", "square"]


@dataclass(frozen=True)
class Effort:
    """AutoAttack's own with `--full`."""

    steps: int = 50
    targets: int = 3
    queries: int = 250
    fab: bool = False

    def words(self) -> str:
        return f"{self.steps} steps; {self.targets} targets; {self.queries} queries" + "; FAB" * self.fab


FULL = Effort(steps=100, targets=9, queries=5000, fab=True)


@dataclass(frozen=True)
class Case:
    norm: str
    g: models.Model
    h: models.Model
    temperature: float
    alphas: list[float]
    effort: Effort
    seed: int


def main() -> None:
    options = parse_arguments()
    table, images_table = options.out / "autoattack.csv", options.out / "autoattack_images.csv"
    if not options.plot_only:
        torch.set_num_threads(options.threads)
        cifar10 = data.load(options.work_dir)
        chosen = runs.evenly(options.images, cifar10)
        for norm in EPSILON if options.case == "both" else (options.case,):
            rows, used = run(norm, options, cifar10, chosen)
            # The other case's rows stay as they were.
            tables.replace(images_table, rows, lambda row, norm=norm: row["norm"] == norm, *used, part=norm)
            tables.write(table, summary(tables.read(images_table)), tables.identity(images_table))
    rows = tables.read(table)
    autoattack_figure.draw(rows, options.out / "autoattack.png")
    sys.exit(1 if report(rows) else 0)


def parse_arguments() -> argparse.Namespace:
    options = runs.base_parser(__doc__)
    options.add_argument("--case", choices=["linf", "l2", "both"], default="both")
    options.add_argument("--alphas", type=float, nargs="+", default=[0, 0.5, 0.75, 0.9, 1])
    options.add_argument("--adversarial", type=Path, default=BUNDLED / "adversarial.toml", help="h of the case linf")
    options.add_argument("--lipschitz", type=Path, default=BUNDLED / "lipschitz.toml", help="h of the case l2")
    options.add_argument("--temperature", type=float, default=runs.TEMPERATURE["l2"], help="of the Lipschitz h: softmax(z / temperature)")
    options.add_argument("--images", type=int, default=100, help="evenly spaced in the test set (default: 100)")
    options.add_argument("--full", action="store_true", help="AutoAttack's own numbers of steps, targets and queries, and FAB")
    return options.parse_args()


def run(norm: str, options: argparse.Namespace, cifar10: data.Cifar10, chosen: np.ndarray) -> tuple[list[dict], list[tuple[str, str]]]:
    """The rows of the images, and the identities of the models."""
    robust, temperature = (options.adversarial, 1.0) if norm == "linf" else (options.lipschitz, options.temperature)
    g, h = models.load(options.standard, options.threads), models.load(robust, options.threads)
    effort = FULL if options.full else Effort()
    # h alone first: what breaks it breaks most mixtures, and it is the cheapest to attack.
    case = Case(norm, g, h, temperature, sorted(options.alphas, reverse=True), effort, options.seed)
    settings = {"models": [g.sha256, h.sha256], "images": len(chosen), "epsilon": EPSILON[norm], "effort": vars(effort)}
    settings |= {"temperature": temperature, "alphas": case.alphas, "seed": options.seed}
    chunks, rows = Chunks(options.results_dir / "autoattack" / norm, settings), []
    pgd_chunks = Chunks(options.results_dir / "autoattack" / f"{norm}-pgd", settings | {"effort": attacks.STEPS})
    with tqdm(total=len(chosen), desc=norm, unit="image") as progress:
        for start in range(0, len(chosen), SIZE):
            part = chosen[start : start + SIZE]
            images, labels = models.to_floats(cifar10.test_images[part]), cifar10.test_labels[part].astype(np.int64)
            found = chunks.get(f"{start:05}", lambda x=images, y=labels, part=part: attack(case, x, y, part))
            left = pgd_chunks.get(f"{start:05}", lambda x=images, y=labels: (pgd(case, x, y), {}))
            rows += [row | columns for row, columns in zip(found, left, strict=True)]
            progress.update(len(part))
    print(f"{norm}: {chunks.time_taken()}; the adversarial images are in {chunks.folder}")
    return rows, [g.identity, h.identity]


def attack(case: Case, images: np.ndarray, labels: np.ndarray, indices: np.ndarray) -> tuple[list[dict], dict]:
    """One row an image: what became of it at each alpha. And the adversarial images, [alphas, N, ...]."""
    states, found = {}, np.tile(images, (len(case.alphas), 1, 1, 1, 1))
    for k, alpha in enumerate(case.alphas):
        answers = answer(case, alpha, images)
        state = states[alpha] = np.array([HELD if right else WRONG for right in answers == labels], dtype=object)
        _transfer(case, alpha, state, found[k], found, labels, states)
        network = AlphaMixture(case.g.torch, models.Tempered(case.h.torch, case.temperature), alpha)
        for name in ATTACKS if case.effort.fab else [name for name in ATTACKS if name != "fab-t"]:
            left = np.flatnonzero(state == HELD)
            if len(left) == 0:
                break
            moved = perturb(name, network, case, images[left], labels[left], int(indices[0]))
            moved = ball.inside(images[left], moved, EPSILON[case.norm], case.norm)
            broken = left[answer(case, alpha, moved) != labels[left]]
            found[k][broken] = moved[np.searchsorted(left, broken)]
            state[broken] = name
    for k, alpha in enumerate(case.alphas):  # once more, with what was found at the alphas that came later
        _transfer(case, alpha, states[alpha], found[k], found, labels, states)
    head = {"norm": case.norm, "temperature": case.temperature, "attack": case.effort.words()}
    rows = [head | {"index": int(i), "label": int(y)} for i, y in zip(indices, labels, strict=True)]
    for i, row in enumerate(rows):
        row |= {f"alpha {alpha:g}": str(states[alpha][i]) for alpha in case.alphas}
    for alpha in case.alphas:
        for row, radius in zip(rows, certified_radii(case, alpha, images, labels), strict=True):
            row |= {f"radius {alpha:g}": f"{radius:.6g}"} if radius is not None else {}
    return rows, {"index": indices, "images": images, "adversarial": found, "alphas": case.alphas}


def pgd(case: Case, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """Of each image and alpha: 1 if it is right, and stays so under PGD-20 on g, on h and on the mixture."""

    def attacked(alpha: float) -> np.ndarray:
        network = AlphaMixture(case.g.torch, models.Tempered(case.h.torch, case.temperature), alpha)
        return attacks.pgd(network, torch.from_numpy(images), torch.from_numpy(labels), case.norm, EPSILON[case.norm]).numpy()

    moved = {alpha: attacked(alpha) for alpha in {0, 1, *case.alphas}}
    rows: list[dict] = [{} for _ in labels]
    for alpha in case.alphas:
        right = np.all([answer(case, alpha, tried) == labels for tried in (images, moved[0], moved[1], moved[alpha])], axis=0)
        for row, held in zip(rows, right, strict=True):
            row[f"pgd {alpha:g}"] = int(held)
    return rows


def answer(case: Case, alpha: float, images: np.ndarray) -> np.ndarray:
    """By ONNX Runtime, mixed in float64."""
    log_g = exact.log_probabilities(case.g.logits(images))
    log_h = exact.log_probabilities(case.h.logits(images), case.temperature)
    return exact.log_mixture(alpha, log_g, log_h).argmax(axis=1)


def _transfer(case: Case, alpha: float, state, own: np.ndarray, found: np.ndarray, labels: np.ndarray, states: dict) -> None:
    for k, other in enumerate(case.alphas):
        if other == alpha or other not in states:
            continue
        tried = np.flatnonzero((state == HELD) & (states[other] != HELD) & (states[other] != WRONG))
        if len(tried):
            broken = tried[answer(case, alpha, found[k][tried]) != labels[tried]]
            own[broken] = found[k][broken]
            state[broken] = f"transfer from alpha {other:g}"


def perturb(name: str, network: torch.nn.Module, case: Case, images: np.ndarray, labels: np.ndarray, first: int) -> np.ndarray:
    effort = case.effort
    common = {"norm": "Linf" if case.norm == "linf" else "L2", "eps": EPSILON[case.norm], "n_restarts": 1, "device": "cpu"}
    common["seed"] = case.seed * 100_000 + first
    if name == "apgd-ce":
        attack = APGDAttack(network, n_iter=effort.steps, loss="ce", **common)
    elif name == "apgd-t":
        attack = APGDAttack_targeted(network, n_iter=effort.steps, n_target_classes=effort.targets, **common)
    elif name == "fab-t":
        attack = FABAttack_PT(network, n_iter=effort.steps, n_target_classes=effort.targets, targeted=True, **common)
    else:
        # The size of the squares follows the number of queries where there are fewer than AutoAttack's.
        attack = SquareAttack(network, n_queries=effort.queries, p_init=0.8, resc_schedule=effort != FULL, **common)
    with torch.no_grad():
        return attack.perturb(torch.from_numpy(images), torch.from_numpy(labels)).numpy()


def certified_radii(case: Case, alpha: float, images: np.ndarray, labels: np.ndarray) -> list[float | None]:
    """Where h has a proof in this norm: the radius of those whose certified class is the right one, else 0."""
    guarantee = case.h.manifest["guarantee"]
    if guarantee["kind"] != "lipschitz_logits" or guarantee["norm"] != case.norm or alpha <= 0.5:
        return [None] * len(labels)
    logits = case.h.logits(images)
    radii = exact.logit_radius(alpha, logits, case.temperature, guarantee)
    return np.where(logits.argmax(axis=1) == labels, radii.clip(0), 0.0).tolist()


def summary(rows: list[dict]) -> list[dict]:
    """One row for each norm and alpha; accuracies in per cent, with exact 95 % intervals."""
    result = []
    for norm in EPSILON:
        chosen = [row for row in rows if row["norm"] == norm]
        if not chosen:
            continue
        for column in sorted((name for name in chosen[0] if name.startswith("alpha ")), key=lambda name: float(name[6:])):
            states = np.array([row[column] for row in chosen])
            if (states == "").all():
                continue
            epsilon, radii = EPSILON[norm], [row.get(f"radius {column[6:]}", "") for row in chosen]
            proven = np.array([radius != "" and radius >= epsilon for radius in radii])
            line = {"norm": norm, "epsilon": f"{epsilon:.6g}", "temperature": chosen[0]["temperature"]}
            line |= {"attack": chosen[0]["attack"], "alpha": column[6:]}
            pgd_held = np.array([row[f"pgd {column[6:]}"] == 1 for row in chosen])
            for name, hits in (("clean", states != WRONG), ("pgd", pgd_held), ("attacked", states == HELD), ("certified", proven)):
                line |= {f"{name}_{key}": value for key, value in accuracy.row(hits).items() if key != "images"}
            if all(radius == "" for radius in radii):
                line |= {name: "" for name in line if name.startswith("certified_")}
            line |= {"images": len(chosen), "broken_certificates": int((proven & (states != HELD)).sum())}
            line |= {name: int((states == name).sum()) for name in ATTACKS}
            line["transfer"] = int(sum(state.startswith("transfer") for state in states))
            result.append(line)
    return result


def report(rows: list[dict]) -> int:
    for row in rows:
        parts = [f"{row['norm']} {row['epsilon']:.4f} alpha {row['alpha']:<4g}"]
        for name in ("clean", "pgd", "attacked", "certified"):
            if row[f"{name}_accuracy"] != "":
                parts.append(f"{name} {row[f'{name}_accuracy']:.1f} % [{row[f'{name}_low']:.1f}, {row[f'{name}_high']:.1f}]")
        by = ", ".join(f"{name} {row[name]:g}" for name in (*ATTACKS, "transfer") if row[name])
        print("  ".join(parts) + f"  broken by {by or 'none'}")
    broken = int(sum(row["broken_certificates"] for row in rows))
    print(f"certificates at the attack's radius that broke: {broken}")
    return broken


if __name__ == "__main__":
    main()
