"""The certificates that `inside_radius.py` attacks: the server's own answers, or, without any, ones computed here.

Answers are the JSON lines of `certimix predict --json` or `certimix certify --json` over test images. Each is matched to its image by
the hash of the input, its models to the manifests at hand by theirs, and its numbers are computed again from docs/concepts/certificates.md.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import exact
import models
import numpy as np
from bounds import anytime_lower, clopper_pearson
from models import to_floats
from noisy_votes import counts
from scipy.stats import norm
from tqdm import tqdm

RADIUS_TOLERANCE = 1e-5  # Lipschitz: the batch's shape may move a float32 logit in its last digits
BOUND_TOLERANCE = 1e-9  # smoothed: what docs/concepts/certificates.md, section 5, promises
FEW, HOPEFUL = 50, 0.7  # votes that choose the class, and the share of them below which no others are drawn


@dataclass(frozen=True)
class Certified:
    index: int  # in the test set
    class_index: int
    radius: float
    radius_sq_levels: int
    method: str
    alpha: float
    temperature: float
    votes: int
    source: str

    def settings(self) -> dict:
        return asdict(self)


def from_answers(paths: list[Path], smoothed: bool, images: np.ndarray, g: models.Model, h: models.Model) -> list[Certified]:
    """Those of one family; `images` are the test set's pixels."""
    methods = {"tight", "theorem2"} if smoothed else {"logit_lipschitz"}
    answers = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    answers = [answer for answer in answers if answer["certificate"]["method"] in methods]
    answers = [answer for answer in answers if answer["certificate"]["status"] == "certified"]
    places = {hashlib.sha256(image.tobytes()).hexdigest(): index for index, image in enumerate(images)} if answers else {}
    found, difference, empty, unchecked = [], 0.0, 0, 0
    for answer in answers:
        provenance, certificate = answer["provenance"], answer["certificate"]
        if (provenance["standard_model_sha256"], provenance["robust_model_sha256"]) != (g.sha256, h.sha256):
            raise SystemExit(f"{answer['file']}: answered by other models than {g.path} and {h.path}")
        index = places.get(answer["input_sha256"])
        if index is None:
            raise SystemExit(f"{answer['file']}: not an image of the test set")
        if smoothed and not _is_computed_here(certificate):
            unchecked += 1
        elif smoothed:
            difference = max(difference, _check_smoothed(answer))
        else:
            difference = max(difference, _check_lipschitz(answer, images[index], h))
        if smoothed and certificate["radius_sq_levels"] < 1:
            empty += 1  # less than one level: there is nothing to attack but the image itself
            continue
        found.append(
            Certified(
                index,
                answer["class_index"],
                certificate["radius"],
                certificate["radius_sq_levels"],
                certificate["method"],
                provenance["alpha"],
                provenance["robust_temperature"],
                certificate["votes"],
                "server",
            )
        )
    if found:
        print(f"{len(found)} certificates of the server, radii within {difference:.1g} of those computed here")
    if unchecked:
        print(f"of these and those left out, {unchecked} were not computed again: `certimix verify` knows their kind")
    if empty:
        print(f"{empty} more hold no image but their own, being smaller than one pixel level: left out")
    return found


def _check_lipschitz(answer: dict, pixels: np.ndarray, h: models.Model) -> float:
    provenance, certificate = answer["provenance"], answer["certificate"]
    logits = h.logits(to_floats(pixels[None]))
    (radius,) = exact.logit_radius(provenance["alpha"], logits, provenance["robust_temperature"], h.manifest["guarantee"])
    difference = abs(radius - certificate["radius"])
    if not difference <= RADIUS_TOLERANCE or int(logits.argmax()) != answer["class_index"]:
        raise SystemExit(f"{answer['file']}: the server's radius is {certificate['radius']}, and {radius} here")
    return difference


def _is_computed_here(certificate: dict) -> bool:
    return certificate["method"] == "tight" and certificate["bound"] == "anytime" and not certificate["two_sided"]


def _check_smoothed(answer: dict) -> float:
    c, alpha = answer["certificate"], answer["provenance"]["alpha"]
    test = 1 / (2 * alpha)
    spent = c["failure_probability"] / (2 if c["target_radius"] > 0 else 1)
    lower = anytime_lower(c["votes_for_class"], c["votes"], spent)
    if c["target_radius"] > 0:
        p0 = float(norm.cdf(c["target_radius"] / c["sigma"] + norm.ppf(test)))
        p0 += c["total_variation"]
        if exact.target_accepted(c["votes_for_class"], c["votes"], spent * (1 + 1e-9), p0):
            lower = max(lower, p0)
    lower -= c["total_variation"]
    radius = exact.tight_radius(c["lower_bound"], c["upper_bound"], alpha, c["sigma"]) - c["snapping_loss"]
    wrong = abs(lower - c["lower_bound"]) > BOUND_TOLERANCE or abs(radius - c["radius"]) > BOUND_TOLERANCE
    if wrong or exact.radius_sq_levels(c["radius"]) != c["radius_sq_levels"]:
        raise SystemExit(f"{answer['file']}: {c}, but from its votes the bound is {lower} and the radius {radius}")
    return abs(radius - c["radius"])


def compute_lipschitz(images: np.ndarray, count: int, h: models.Model, alpha: float, temperature: float) -> list[Certified]:
    """The first `count` certified images of an even spread over the test set."""
    found: list[Certified] = []
    for indices in _spread(len(images), 2 * count):
        logits = h.logits(to_floats(images[indices]))
        radii = exact.logit_radius(alpha, logits, temperature, h.manifest["guarantee"])
        for index, row, radius in zip(indices.tolist(), logits, radii.tolist(), strict=True):
            if radius > 0:
                squares = exact.radius_sq_levels(radius)
                found.append(Certified(index, int(row.argmax()), radius, squares, "logit_lipschitz", alpha, temperature, 0, "here"))
    return found[:count]


def compute_smoothed(
    images: np.ndarray, count: int, h: models.Model, alpha: float, drawn: int, failure_probability: float, seed: int
) -> list[Certified]:
    """By Clopper-Pearson from a fixed number of votes. Not to draw them where it looks hopeless makes nothing false."""
    found: list[Certified] = []
    sigma = h.manifest["guarantee"]["sigma"]
    with tqdm(total=count, desc="certificates", unit="image") as progress:
        for index in np.concatenate(list(_spread(len(images), 2 * count))).tolist():
            if len(found) == count:
                break
            random = np.random.default_rng([seed, 1, index])
            few = counts(h, images[index], FEW, random)
            y = int(few.argmax())
            if few[y] < HOPEFUL * FEW:
                continue
            hits = int(counts(h, images[index], drawn, random)[y])
            lower, _ = clopper_pearson(hits, drawn, failure_probability)
            radius = exact.tight_radius(lower, 1 - lower, alpha, sigma)
            squares = exact.radius_sq_levels(radius)
            if squares >= 1:  # or there is nothing to attack but the image itself
                found.append(Certified(index, y, radius, squares, "tight", alpha, 1.0, drawn, "here"))
                progress.update()
    return found


def _spread(total: int, step_hint: int):
    """All indices, coarse first: every k-th, then those between, in pieces of 100."""
    step = max(1, total // max(1, step_hint))
    order = np.concatenate([np.arange(start, total, step) for start in range(step)])
    yield from (order[i : i + 100] for i in range(0, total, 100))
