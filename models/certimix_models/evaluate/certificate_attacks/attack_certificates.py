"""Attacks certificates inside their radius: at least 200 certified images of each family, by the
strongest adaptive attack available.

No certificate may break. One that does is printed with all that is known about it, and the exit
status is 1.
"""

import argparse
import hashlib
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from certimix_models import result_tables
from certimix_models.dataset.cifar10 import load_cifar10
from certimix_models.evaluate.certificate_attacks import lipschitz_attack, smoothed_attack
from certimix_models.evaluate.certificate_attacks.certificates import (
    AttackedCertificate,
    compute_lipschitz,
    compute_smoothed,
    load_server_certificates,
)
from certimix_models.evaluate.certificate_attacks.figure import draw_figure
from certimix_models.evaluate.experiments.result_cache import RowCache
from certimix_models.evaluate.mathematics.confidence_bounds import clopper_pearson_bounds
from certimix_models.evaluate.networks.bundled_model import BundledModel, load_model

CHUNK_CERTIFICATES = {"lipschitz": 10, "smoothed": 5}  # certificates in one chunk of raw results


def run(options: argparse.Namespace) -> None:
    results = options.out / f"{'_'.join(filter(None, ['inside_radius', options.tag]))}.csv"
    csv = results.with_stem(f"{results.stem}_nearest") if options.nearest else results
    if not options.plot_only:
        torch.set_num_threads(options.threads)
        cifar10 = load_cifar10(options.work_dir)
        for family in ("lipschitz", "smoothed") if options.family == "both" else (options.family,):
            new_rows, sources = attack_family(family, options, cifar10.test_images, results)
            sources += [result_tables.file_identity(results)] if options.nearest else []
            rows = [format_row(row) for row in new_rows]
            result_tables.replace_part(
                csv, rows, lambda row, family=family: family_of(row) == family, *sources, part=family
            )
    rows = result_tables.read(csv)
    if not options.nearest:
        draw_figure(rows, results.with_suffix(".png"))
    broken = print_summary(rows)
    sys.exit(1 if broken else 0)


def attack_family(
    family: str, options: argparse.Namespace, pixels: np.ndarray, results: Path
) -> tuple[list[dict], list[tuple[str, str]]]:
    """The rows of the certificates, and the identities of the models. `results` is the table that
    names the nearest certificates.
    """
    g = load_model(options.standard, options.threads)
    h = load_model(getattr(options, family), options.threads)
    smoothed = family == "smoothed"
    certificates = load_server_certificates(options.certificates, smoothed, pixels, g, h)
    settings = {"models": [g.sha256, h.sha256], "seed": options.seed}
    if options.certificates and not certificates:
        raise SystemExit(f"none of {', '.join(map(str, options.certificates))} contains a {family} certificate")
    if not certificates:
        certificates = compute_certificates(smoothed, options, pixels, h, settings)
    certificates = certificates[: options.images]
    if options.nearest:
        attacked = [row for row in result_tables.read(results) if family_of(row) == family]
        nearest = {row["index"] for row in sorted(attacked, key=closeness_to_breaking)[: options.nearest]}
        certificates = [certificate for certificate in certificates if certificate.index in nearest]
    if len({(each.alpha, each.fallback_alpha, each.temperature) for each in certificates}) != 1:
        raise SystemExit("the certificates have several alphas, fallbacks or temperatures: attack each group by itself")
    default_budget = smoothed_attack.SmoothedAttackBudget() if smoothed else lipschitz_attack.LipschitzAttackBudget()
    budget = default_budget.scaled_by(options.effort)
    settings |= {"effort": asdict(budget), "certificates": [certificate.settings() for certificate in certificates]}
    if smoothed:
        settings["attacks"] = [name for name, *_ in smoothed_attack.ATTACKS]
    chunks, rows = RowCache(options.results_dir / "inside_radius" / family, settings), []
    with tqdm(total=len(certificates), desc=family, unit="image") as progress:
        for start in range(0, len(certificates), CHUNK_CERTIFICATES[family]):
            part = certificates[start : start + CHUNK_CERTIFICATES[family]]
            rows += chunks.get(
                f"{start:05}",
                lambda part=part, start=start: attack_chunk(smoothed, g, h, part, start, pixels, budget, options.seed),
            )
            progress.update(len(part))
    print(f"{family}: {chunks.time_taken()}; the adversarial images are in {chunks.folder}")
    for row in rows:
        if row["broken"]:
            sha256 = hashlib.sha256(pixels[row["index"]].tobytes()).hexdigest()
            print(
                f"BROKEN: test image {row['index']} (sha256 of its pixels {sha256}), adversarial image in {chunks.folder}:"
            )
            print("\n".join(f"    {name}: {value}" for name, value in row.items()))
    return rows, [g.identity, h.identity]


def compute_certificates(
    smoothed: bool, options: argparse.Namespace, pixels: np.ndarray, h: BundledModel, settings: dict
) -> list[AttackedCertificate]:
    """The certificates to attack if the server's answers are not given."""
    fallback_alpha = options.alpha if options.fallback_alpha is None else options.fallback_alpha
    if not 0 <= fallback_alpha <= options.alpha:
        raise SystemExit(f"--fallback-alpha is {fallback_alpha}, expected 0 to --alpha, {options.alpha}")
    if not smoothed:
        return compute_lipschitz(pixels, options.images, h, options.alpha, fallback_alpha, options.temperature)
    wanted = [options.images, options.alpha, fallback_alpha, options.votes, options.failure_probability]
    cache = RowCache(options.results_dir / "inside_radius" / "certificates", settings | {"wanted": wanted})

    def compute() -> tuple[list[dict], dict]:
        results = compute_smoothed(
            pixels,
            options.images,
            h,
            options.alpha,
            fallback_alpha,
            options.votes,
            options.failure_probability,
            options.seed,
        )
        return [certificate.settings() for certificate in results], {}

    return [AttackedCertificate(**row) for row in cache.get("certificates", compute)]


def attack_chunk(
    smoothed: bool,
    g: BundledModel,
    h: BundledModel,
    part: list[AttackedCertificate],
    first: int,
    pixels: np.ndarray,
    budget,
    seed: int,
):
    """The rows and the adversarial images of some certificates."""
    selected = pixels[[certificate.index for certificate in part]]
    if smoothed:
        return smoothed_attack.attack_smoothed(g, h, part, first, selected, budget, seed)
    torch.manual_seed(seed * 100_000 + part[0].index)
    return lipschitz_attack.attack_lipschitz(g, h, part, selected, budget)


def family_of(row: dict) -> str:
    return "lipschitz" if row["method"] == "logit_lipschitz" else "smoothed"


def closeness_to_breaking(row: dict) -> float:
    """How close an attack came to breaking the certificate; smaller is closer."""
    return row["worst_case_smallest"] / row["radius"] if family_of(row) == "lipschitz" else row["margin"]


def format_row(row: dict) -> dict:
    """Numbers with their significant digits; the radius with all digits."""
    return {
        name: f"{value:.6g}"
        if isinstance(value, float) and name != "radius"
        else int(value)
        if isinstance(value, bool)
        else value
        for name, value in row.items()
    }


def print_summary(rows: list[dict]) -> int:
    """Prints the summary. Returns how many certificates broke."""
    total = 0
    for method in sorted({row["method"] for row in rows}):
        selected = [row for row in rows if row["method"] == method]
        broken = int(sum(row["broken"] for row in selected))
        total += broken
        upper_bound = 100 * clopper_pearson_bounds(broken, len(selected), 0.05)[1]
        print(
            f"{method}, alpha {selected[0]['alpha']:g}, {describe_rule(selected[0])}: {broken} of {len(selected)} certificates broken (95 %: at most {upper_bound:.2f} % of all)"
        )
        radius = [row["radius"] for row in selected]
        print(f"  radius: median {np.median(radius):.4f}, largest {max(radius):.4f}")
        (print_lipschitz_summary if family_of(selected[0]) == "lipschitz" else print_smoothed_summary)(selected)
    return total


def describe_rule(row: dict) -> str:
    """The rule of the mixture; results of older commands are all of the paper's."""
    is_gated = row.get("fallback_alpha", "") not in ("", row["alpha"])
    return f"gated, fallback_alpha {row['fallback_alpha']:g}" if is_gated else "the paper's rule"


def print_lipschitz_summary(rows: list[dict]) -> None:
    for name, description in (("worst_case", "with the worst g"), ("mixture", "with this g")):
        ratios = np.array([row[f"{name}_smallest"] / row["radius"] for row in rows])
        results = ratios[np.isfinite(ratios)]
        smallest = min(row[f"{name}_margin"] for row in rows)
        print(
            f"  {description}: smallest margin inside {smallest:.4g}; smallest perturbation found / radius, for {len(results)}:"
        )
        if len(results) > 0:
            print(f"    least {results.min():.3f}, median {np.median(results):.3f}, largest {results.max():.3f}")


def print_smoothed_summary(rows: list[dict]) -> None:
    margins, needed = np.array([row["margin"] for row in rows]), rows[0]["needed"]
    clean = np.median([row["clean_margin"] for row in rows])
    print(
        f"  h's margin: median {clean:.3f} at the images, {np.median(margins):.3f} at the adversarial ones, least {margins.min():.3f}"
    )
    changed = sum(row["mixture_answers"] != row["class_index"] for row in rows)
    print(f"  needed {needed:.4f}; answers of the mixture that changed: {changed}")
    for name in rows[0]:
        if name.startswith("margin_at_") and (seen := [row[name] for row in rows if row[name] != ""]):
            below = sum(value < needed for value in seen)
            print(
                f"  at {name.removeprefix('margin_at_')} times the radius: {below} of {len(seen)} below what is needed"
            )
