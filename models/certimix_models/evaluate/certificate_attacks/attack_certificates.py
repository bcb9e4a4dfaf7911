#!/usr/bin/env python3
"""Attacks certificates from within: at least 200 certified images of each family, by the strongest adaptive attack at hand.

    python models/evaluate/paper/inside_radius.py --family lipschitz --certificates lipschitz.jsonl
    python models/evaluate/paper/inside_radius.py --family smoothed --certificates smoothed.jsonl

The certificates are the server's own answers (`certimix predict test.npy --json`, `certimix certify ...`); without any they are computed
here. With --nearest those that came nearest to breaking are attacked once more, for more --effort. No certificate may break: one that
does is printed with all there is to know about it, and the exit status is 1.
"""

import argparse
import hashlib
import sys
from dataclasses import asdict
from pathlib import Path

import given_certificates
import inside_figure
import inside_lipschitz
import inside_smoothed
import models
import numpy as np
import runs
import torch
from bounds import clopper_pearson
from chunks import Chunks
from runs import BUNDLED
from tqdm import tqdm
from training import data, tables

SIZE = {"lipschitz": 10, "smoothed": 5}  # certificates a chunk


def main() -> None:
    options = parse_arguments()
    csv = options.out / ("inside_radius_nearest.csv" if options.nearest else "inside_radius.csv")
    if not options.plot_only:
        torch.set_num_threads(options.threads)
        cifar10 = data.load(options.work_dir)
        for family in ("lipschitz", "smoothed") if options.family == "both" else (options.family,):
            fresh, used = run(family, options, cifar10.test_images)
            used += [tables.identity(options.out / "inside_radius.csv")] if options.nearest else []
            rows = [tidy(row) for row in fresh]
            tables.replace(csv, rows, lambda row, family=family: family_of(row) == family, *used, part=family)
    rows = tables.read(csv)
    if not options.nearest:
        inside_figure.draw(rows, options.out / "inside_radius.png")
    broken = summary(rows)
    sys.exit(1 if broken else 0)


def parse_arguments() -> argparse.Namespace:
    options = runs.base_parser(__doc__)
    options.add_argument("--family", choices=["lipschitz", "smoothed", "both"], default="both")
    options.add_argument("--certificates", type=Path, nargs="*", default=[], help="answers of the server, JSON lines")
    options.add_argument("--lipschitz", type=Path, default=BUNDLED / "lipschitz.toml")
    options.add_argument("--smoothed", type=Path, default=BUNDLED / "smoothed-025.toml")
    options.add_argument("--images", type=int, default=200, help="certificates to attack in each family (default: 200)")
    options.add_argument("--effort", type=int, default=1, help="times as many steps, and restarts or votes (default: 1)")
    options.add_argument("--nearest", type=int, default=0, help="only so many of inside_radius.csv; writes inside_radius_nearest.csv")
    here = options.add_argument_group("without --certificates")
    here.add_argument("--alpha", type=float, default=0.76)
    here.add_argument("--temperature", type=float, default=runs.TEMPERATURE["l2"], help="of the Lipschitz network: h = softmax(z / temperature)")
    here.add_argument("--votes", type=int, default=1000)
    here.add_argument("--failure-probability", type=float, default=1e-6)
    return options.parse_args()


def run(family: str, options: argparse.Namespace, pixels: np.ndarray) -> tuple[list[dict], list[tuple[str, str]]]:
    """The rows of the certificates, and the identities of the models."""
    g = models.load(options.standard, options.threads)
    h = models.load(getattr(options, family), options.threads)
    smoothed = family == "smoothed"
    given = given_certificates.from_answers(options.certificates, smoothed, pixels, g, h)
    kept = {"models": [g.sha256, h.sha256], "seed": options.seed}
    if options.certificates and not given:
        raise SystemExit(f"none of {', '.join(map(str, options.certificates))} holds a {family} certificate")
    if not given:
        given = computed(smoothed, options, pixels, h, kept)
    given = given[: options.images]
    if options.nearest:
        found = [row for row in tables.read(options.out / "inside_radius.csv") if family_of(row) == family]
        nearest = {row["index"] for row in sorted(found, key=nearness)[: options.nearest]}
        given = [one for one in given if one.index in nearest]
    if len({(one.alpha, one.temperature) for one in given}) != 1:
        raise SystemExit("certificates with several alphas or temperatures: attack them one by one")
    effort = (inside_smoothed if smoothed else inside_lipschitz).Effort().times(options.effort)
    kept |= {"effort": asdict(effort), "certificates": [one.settings() for one in given]}
    if smoothed:
        kept["attacks"] = [name for name, *_ in inside_smoothed.ATTACKS]
    chunks, rows = Chunks(options.results_dir / "inside_radius" / family, kept), []
    with tqdm(total=len(given), desc=family, unit="image") as progress:
        for start in range(0, len(given), SIZE[family]):
            part = given[start : start + SIZE[family]]
            rows += chunks.get(f"{start:05}", lambda part=part, start=start: attack(smoothed, g, h, part, start, pixels, effort, options.seed))
            progress.update(len(part))
    print(f"{family}: {chunks.time_taken()}; the adversarial images are in {chunks.folder}")
    for row in rows:
        if row["broken"]:
            sha256 = hashlib.sha256(pixels[row["index"]].tobytes()).hexdigest()
            print(f"BROKEN: test image {row['index']} (sha256 of its pixels {sha256}), adversarial image in {chunks.folder}:")
            print("\n".join(f"    {name}: {value}" for name, value in row.items()))
    return rows, [g.identity, h.identity]


def computed(smoothed: bool, options: argparse.Namespace, pixels: np.ndarray, h: models.Model, kept: dict) -> list[given_certificates.Certified]:
    if not smoothed:
        return given_certificates.compute_lipschitz(pixels, options.images, h, options.alpha, options.temperature)
    wanted = [options.images, options.alpha, options.votes, options.failure_probability]
    store = Chunks(options.results_dir / "inside_radius" / "certificates", kept | {"wanted": wanted})

    def compute() -> tuple[list[dict], dict]:
        found = given_certificates.compute_smoothed(
            pixels, options.images, h, options.alpha, options.votes, options.failure_probability, options.seed
        )
        return [one.settings() for one in found], {}

    return [given_certificates.Certified(**row) for row in store.get("certificates", compute)]


def attack(smoothed: bool, g: models.Model, h: models.Model, part: list[given_certificates.Certified], first: int, pixels: np.ndarray, effort, seed: int):
    chosen = pixels[[one.index for one in part]]
    if smoothed:
        return inside_smoothed.attack(g, h, part, first, chosen, effort, seed)
    torch.manual_seed(seed * 100_000 + part[0].index)
    return inside_lipschitz.attack(g, h, part, chosen, effort)


def family_of(row: dict) -> str:
    return "lipschitz" if row["method"] == "logit_lipschitz" else "smoothed"


def nearness(row: dict) -> float:
    """How near an attack came to breaking it; less is nearer."""
    return row["worst_case_smallest"] / row["radius"] if family_of(row) == "lipschitz" else row["margin"]


def tidy(row: dict) -> dict:
    """Numbers with the digits that mean something; the radius with all of them."""
    return {
        name: f"{value:.6g}" if isinstance(value, float) and name != "radius" else int(value) if isinstance(value, bool) else value
        for name, value in row.items()
    }


def summary(rows: list[dict]) -> int:
    total = 0
    for method in sorted({row["method"] for row in rows}):
        chosen = [row for row in rows if row["method"] == method]
        broken = int(sum(row["broken"] for row in chosen))
        total += broken
        most = 100 * clopper_pearson(broken, len(chosen), 0.05)[1]
        print(f"{method}, alpha {chosen[0]['alpha']:g}: {broken} of {len(chosen)} certificates broken (95 %: at most {most:.2f} % of all)")
        radius = [row["radius"] for row in chosen]
        print(f"  radius: median {np.median(radius):.4f}, largest {max(radius):.4f}")
        (summary_lipschitz if family_of(chosen[0]) == "lipschitz" else summary_smoothed)(chosen)
    return total


def summary_lipschitz(rows: list[dict]) -> None:
    for name, words in (("worst_case", "with the worst g"), ("mixture", "with this g")):
        ratios = np.array([row[f"{name}_smallest"] / row["radius"] for row in rows])
        found = ratios[np.isfinite(ratios)]
        least = min(row[f"{name}_margin"] for row in rows)
        print(f"  {words}: smallest margin inside {least:.4g}; smallest perturbation found / radius, for {len(found)}:")
        print(f"    least {found.min():.3f}, median {np.median(found):.3f}, largest {found.max():.3f}")


def summary_smoothed(rows: list[dict]) -> None:
    margins, needed = np.array([row["margin"] for row in rows]), rows[0]["needed"]
    clean = np.median([row["clean_margin"] for row in rows])
    print(f"  h's margin: median {clean:.3f} at the images, {np.median(margins):.3f} at the adversarial ones, least {margins.min():.3f}")
    changed = sum(row["mixture_answers"] != row["class_index"] for row in rows)
    print(f"  needed {needed:.4f}; answers of the mixture that changed: {changed}")
    for name in rows[0]:
        if name.startswith("margin_at_") and (seen := [row[name] for row in rows if row[name] != ""]):
            below = sum(value < needed for value in seen)
            print(f"  at {name.removeprefix('margin_at_')} times the radius: {below} of {len(seen)} below what is needed")


if __name__ == "__main__":
    main()
