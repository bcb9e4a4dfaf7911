"""The certificates that `attack-certificates` attacks: the server's own answers, or certificates
computed here.

Answers are the JSON lines of `certimix predict --json` or `certimix certify --json` over test
images. The hash of the input identifies the image, the hashes of the models identify the manifests.
The numbers are recomputed by docs/concepts/certificates.md.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.stats import norm
from tqdm import tqdm

from certimix_models.evaluate.mathematics import certificate_formulas
from certimix_models.evaluate.mathematics.confidence_bounds import anytime_lower_bound, clopper_pearson_bounds
from certimix_models.evaluate.networks.bundled_model import BundledModel, pixels_to_floats
from certimix_models.evaluate.networks.noisy_votes import count_votes

WEIGHT_TOLERANCE = 1e-6  # the weight of h may have been a float32
RADIUS_TOLERANCE = 1e-5  # Lipschitz: the batch's shape may change a float32 logit in its last digits
BOUND_TOLERANCE = 1e-9  # smoothed: the tolerance that docs/concepts/certificates.md, section 5, states
# far more than the rounding of a radius in float64, with the allowance of section 2 for mixing
ROUNDING_ALLOWANCE = 1e-9
# votes that select the class, and the share of them below which no others are drawn
PILOT_VOTES, PILOT_SHARE = 50, 0.7


@dataclass(frozen=True)
class AttackedCertificate:
    """A certificate, with the image that it is about. The fields are columns of the CSV file."""

    index: int  # in the test set
    class_index: int
    radius: float
    radius_sq_levels: int
    method: str
    alpha: float
    fallback_alpha: float
    temperature: float
    votes: int
    source: str

    def settings(self) -> dict:
        return asdict(self)


def load_server_certificates(
    paths: list[Path], smoothed: bool, images: np.ndarray, g: BundledModel, h: BundledModel
) -> list[AttackedCertificate]:
    """The certificates of one family. `images` are the pixels of the test set."""
    methods = {"tight", "theorem2"} if smoothed else {"logit_lipschitz"}
    answers = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    answers = [answer for answer in answers if answer["certificate"]["method"] in methods]
    answers = [answer for answer in answers if answer["certificate"]["status"] == "certified"]
    index_of_hash = (
        {hashlib.sha256(image.tobytes()).hexdigest(): index for index, image in enumerate(images)} if answers else {}
    )
    certificates, difference, too_small, unchecked = [], 0.0, 0, 0
    for answer in answers:
        provenance, certificate = answer["provenance"], answer["certificate"]
        if (provenance["standard_model_sha256"], provenance["robust_model_sha256"]) != (g.sha256, h.sha256):
            raise SystemExit(f"{answer['file']}: the models are not {g.path} and {h.path}")
        index = index_of_hash.get(answer["input_sha256"])
        if index is None:
            raise SystemExit(f"{answer['file']}: not an image of the test set")
        if smoothed and not _can_recompute(certificate):
            unchecked += 1
        elif smoothed:
            difference = max(difference, _check_smoothed(answer))
        else:
            difference = max(difference, _check_lipschitz(answer, images[index], h))
        if smoothed and certificate["radius_sq_levels"] < 1:
            too_small += 1  # less than one level: only the image itself could be attacked
            continue
        certificates.append(
            AttackedCertificate(
                index,
                answer["class_index"],
                certificate["radius"],
                certificate["radius_sq_levels"],
                certificate["method"],
                provenance["alpha"],
                _fallback_alpha(answer),
                provenance["robust_temperature"],
                certificate["votes"],
                "server",
            )
        )
    if certificates:
        print(f"{len(certificates)} certificates of the server, radii within {difference:.1g} of the recomputed ones")
    if unchecked:
        print(f"of these and those left out, {unchecked} were not recomputed: `certimix verify` checks their kind")
    if too_small:
        print(f"{too_small} more are smaller than one pixel level and contain only their own image: left out")
    return certificates


def _fallback_alpha(answer: dict) -> float:
    """The weight of h below the margin; alpha, as in the paper's mixture, if the answer has none. A
    certified answer is mixed with weight alpha.
    """
    provenance = answer["provenance"]
    weight = answer.get("robust_weight", provenance["alpha"])
    if not abs(weight - provenance["alpha"]) <= WEIGHT_TOLERANCE:
        raise SystemExit(
            f"{answer['file']}: certified with robust_weight {weight}, expected alpha, {provenance['alpha']}"
        )
    return provenance.get("fallback_alpha", provenance["alpha"])


def _check_lipschitz(answer: dict, pixels: np.ndarray, h: BundledModel) -> float:
    """The difference from the recomputed radius. Exits if it exceeds the tolerance."""
    provenance, certificate = answer["provenance"], answer["certificate"]
    logits = h.logits(pixels_to_floats(pixels[None]))
    (radius,) = certificate_formulas.logit_radius(
        provenance["alpha"], logits, provenance["robust_temperature"], h.manifest["guarantee"]
    )
    difference = abs(radius - certificate["radius"])
    if not difference <= RADIUS_TOLERANCE or int(logits.argmax()) != answer["class_index"]:
        raise SystemExit(
            f"{answer['file']}: the server's radius is {certificate['radius']}, the recomputed one {radius}"
        )
    return difference


def _can_recompute(certificate: dict) -> bool:
    """Whether this module has the formulas of the certificate."""
    return certificate["method"] == "tight" and certificate["bound"] == "anytime" and not certificate["two_sided"]


def _check_smoothed(answer: dict) -> float:
    """The difference from the recomputed radius. Exits if it exceeds the tolerance."""
    certificate, alpha = answer["certificate"], answer["provenance"]["alpha"]
    threshold = 1 / (2 * alpha)
    bound_failure = certificate["failure_probability"] / (2 if certificate["target_radius"] > 0 else 1)
    lower = anytime_lower_bound(certificate["votes_for_class"], certificate["votes"], bound_failure)
    if certificate["target_radius"] > 0:
        p0 = float(norm.cdf(certificate["target_radius"] / certificate["sigma"] + norm.ppf(threshold)))
        p0 += certificate["total_variation"]
        if certificate_formulas.is_target_accepted(
            certificate["votes_for_class"], certificate["votes"], bound_failure * (1 + 1e-9), p0
        ):
            lower = max(lower, p0)
    lower -= certificate["total_variation"]
    radius = (
        certificate_formulas.tight_radius(
            certificate["lower_bound"], certificate["upper_bound"], alpha, certificate["sigma"]
        )
        - certificate["snapping_loss"]
    )
    wrong = (
        abs(lower - certificate["lower_bound"]) > BOUND_TOLERANCE
        or abs(radius - certificate["radius"]) > BOUND_TOLERANCE
    )
    if wrong or certificate_formulas.radius_sq_levels(certificate["radius"]) != certificate["radius_sq_levels"]:
        raise SystemExit(
            f"{answer['file']}: {certificate}, but its votes give the bound {lower} and the radius {radius}"
        )
    return abs(radius - certificate["radius"])


def compute_lipschitz(
    images: np.ndarray, count: int, h: BundledModel, alpha: float, fallback_alpha: float, temperature: float
) -> list[AttackedCertificate]:
    """The first `count` certified images of an even spread over the test set. ROUNDING_ALLOWANCE
    comes off each radius, because float64 here is not rounded downward.
    """
    certificates: list[AttackedCertificate] = []
    for indices in _spread_indices(len(images), 2 * count):
        logits = h.logits(pixels_to_floats(images[indices]))
        radii = certificate_formulas.logit_radius(alpha, logits, temperature, h.manifest["guarantee"])
        radii -= ROUNDING_ALLOWANCE
        for index, row, radius in zip(indices.tolist(), logits, radii.tolist(), strict=True):
            if radius > 0:
                squares = certificate_formulas.radius_sq_levels(radius)
                certificates.append(
                    AttackedCertificate(
                        index=index,
                        class_index=int(row.argmax()),
                        radius=radius,
                        radius_sq_levels=squares,
                        method="logit_lipschitz",
                        alpha=alpha,
                        fallback_alpha=fallback_alpha,
                        temperature=temperature,
                        votes=0,
                        source="here",
                    )
                )
    return certificates[:count]


def compute_smoothed(
    images: np.ndarray,
    count: int,
    h: BundledModel,
    alpha: float,
    fallback_alpha: float,
    votes: int,
    failure_probability: float,
    seed: int,
) -> list[AttackedCertificate]:
    """Certificates by Clopper-Pearson from a fixed number of votes. Images with few votes for their
    class are skipped, which makes no certificate false.
    """
    certificates: list[AttackedCertificate] = []
    sigma = h.manifest["guarantee"]["sigma"]
    with tqdm(total=count, desc="certificates", unit="image") as progress:
        for index in np.concatenate(list(_spread_indices(len(images), 2 * count))).tolist():
            if len(certificates) == count:
                break
            generator = np.random.default_rng([seed, 1, index])
            pilot_counts = count_votes(h, images[index], PILOT_VOTES, generator)
            y = int(pilot_counts.argmax())
            if pilot_counts[y] < PILOT_SHARE * PILOT_VOTES:
                continue
            hits = int(count_votes(h, images[index], votes, generator)[y])
            lower, _ = clopper_pearson_bounds(hits, votes, failure_probability)
            radius = certificate_formulas.tight_radius(lower, 1 - lower, alpha, sigma)
            squares = certificate_formulas.radius_sq_levels(radius)
            if squares >= 1:  # below one level only the image itself could be attacked
                certificates.append(
                    AttackedCertificate(index, y, radius, squares, "tight", alpha, fallback_alpha, 1.0, votes, "here")
                )
                progress.update()
    return certificates


def _spread_indices(total: int, step_hint: int):
    """All indices, coarse first: every k-th, then those between, in chunks of 100."""
    step = max(1, total // max(1, step_hint))
    indices = np.concatenate([np.arange(start, total, step) for start in range(step)])
    yield from (indices[i : i + 100] for i in range(0, total, 100))
