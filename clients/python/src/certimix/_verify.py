"""Verifies the certificate of a record from its own counts."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Tuple

from ._bounds import context, log_target_e_value, lower_bound, margin_needed, required_probability, smoothed_radius, upper_bound
from ._mixture import check_prediction, margin_interval
from ._record import Certificate, Record, RecordError, parse_record
from ._verdict import Checks, VerificationReport

# The largest number of votes that is recomputed: the time grows with it.
MAX_VOTES = 10**9
# The server rounds the probability that a target needs up, by at most this much, relative.
_TARGET_ROUNDING = 1e-12
_LIPSCHITZ_METHODS = ("theorem1", "logit_lipschitz")
_NEEDS_MODEL = (
    "the certificate of a Lipschitz model depends on the model's output, which the record does not carry: "
    "use certimix.replay with the input and the model"
)


def verify(certificate: Any) -> VerificationReport:
    """Recomputes the bounds and the radius of a record from its counts, in arithmetic of 60 digits.

    `certificate` is a record of `certimix predict --json` or `certimix certify --json` as a dict, with its prediction and
    provenance. A served radius or lower bound may be smaller than the counts prove, and an upper bound larger. No number may
    err to the other side, not even in its last digit.

    The report states what the record proves by itself. That its votes are genuine is for `certimix.replay` to check.

    Raises ImportError without the package mpmath (`pip install "certimix[verify]"`).
    """
    context()
    checks = Checks()
    try:
        record = parse_record(certificate)
    except RecordError as error:
        checks.fails(error.field, error.served, error.expected, str(error))
        file = certificate.get("file") if isinstance(certificate, dict) else None
        return VerificationReport(tuple(checks.list), file if isinstance(file, str) else None)
    check_record(record, checks)
    return VerificationReport(tuple(checks.list), record.file, record.certificate.status != "certified")


def check_record(record: Record, checks: Checks) -> None:
    """Makes every check that needs the record alone."""
    certificate = record.certificate
    check_claims(record, checks)
    possible = check_counts(certificate, checks)
    if certificate.is_smoothed and certificate.status != "unavailable":
        if possible:
            check_votes(record, checks)
    elif certificate.status == "certified":
        check_lipschitz(record, checks)
    check_prediction(record, checks)


def check_claims(record: Record, checks: Checks) -> None:
    """Checks what holds for a certificate of any method."""
    certificate = record.certificate
    radius = certificate.radius
    if certificate.status != "certified":
        checks.require(radius == 0, "radius", radius, 0.0, f"the status is {certificate.status}, but the radius is {radius!r}")
        expected = 0
        checks.require(certificate.radius_sq_levels == 0, "radius_sq_levels", certificate.radius_sq_levels, expected)
        checks.require(not certificate.whole_range, "whole_range", certificate.whole_range, False)
        if certificate.status == "unavailable":
            return
    else:
        checks.require(radius > 0, "radius", radius, "more than 0: the status is certified")
        checks.require(record.alpha > 0.5, "provenance.alpha", record.alpha, "more than 1/2: the status is certified")
    known = (*_LIPSCHITZ_METHODS, "tight", "theorem2")
    checks.require(certificate.method in known, "method", certificate.method, " or ".join(known))
    norms = ("l2",) if certificate.is_smoothed else ("l1", "l2", "linf")
    checks.require(certificate.norm in norms, "norm", certificate.norm, " or ".join(norms))
    _check_basis(certificate, checks)
    if certificate.status == "certified":
        _check_levels(record, checks)
        if certificate.whole_range:
            message = "whole_range is a statement about the range of the inputs, which the record does not carry"
            checks.unknown("whole_range", True, message)


def _check_basis(certificate: Certificate, checks: Checks) -> None:
    served = certificate.basis
    may_be_proven = certificate.is_smoothed or (certificate.method == "logit_lipschitz" and certificate.norm == "l2")
    bases = ("proven", "claimed") if may_be_proven and not certificate.caveat else ("claimed",)
    checks.require(served in bases, "basis", served, " or ".join(bases))


def _check_levels(record: Record, checks: Checks) -> None:
    """radius_sq_levels is the largest N with sqrt(N) / 255 < radius, or 0 where the inputs are not those of images."""
    certificate = record.certificate
    radius = certificate.radius
    if not certificate.is_smoothed and record.input_shape is not None:
        # The model reads u / 255 rounded to float32, at both ends of the distance.
        radius -= 2 * math.nextafter(math.sqrt(math.prod(record.input_shape)), math.inf) * 2.0**-25
    # The comparison is one of exact numbers: N < (255 radius)^2.
    largest = math.ceil((255 * Fraction(radius)) ** 2) - 1 if certificate.norm == "l2" and radius > 0 else 0
    served = certificate.radius_sq_levels
    checks.require(served in (0, largest), "radius_sq_levels", served, largest)


def check_counts(certificate: Certificate, checks: Checks) -> bool:
    """Checks that the counts are possible, and for a smoothed certificate its other numbers."""
    before = len(checks.list)
    votes, hits, runner_up = certificate.votes, certificate.votes_for_class, certificate.votes_for_runner_up
    drawn, counted = certificate.votes_drawn, certificate.selection_votes + votes
    if hits > votes:
        checks.fails("votes_for_class", hits, f"at most votes = {votes}")
    elif hits + runner_up > votes:
        checks.fails("votes_for_runner_up", runner_up, f"at most votes - votes_for_class = {votes - hits}")
    if votes > MAX_VOTES:
        checks.fails("votes", votes, f"at most {MAX_VOTES}")
    if counted > drawn:
        checks.fails("votes_drawn", drawn, f"at least selection_votes + votes = {counted}")
    elif counted < drawn and certificate.bound == "clopper_pearson":
        # A bound for a fixed number of votes says nothing about the best of several moments.
        checks.fails("votes", votes, f"all {drawn - certificate.selection_votes} estimation votes: the bound is clopper_pearson")
    if not _is_key(certificate.noise_key) and (certificate.noise_key or certificate.is_smoothed):
        checks.fails("noise_key", certificate.noise_key, "64 hexadecimal digits")
    if certificate.is_smoothed and certificate.status != "unavailable":
        if certificate.status == "certified":
            needed = (("selection_votes", certificate.selection_votes), ("batch_size", certificate.batch_size))
            for field, value in needed:
                if value == 0:
                    checks.fails(field, value, "at least 1")
        if certificate.sigma == 0:
            checks.fails("sigma", certificate.sigma, "more than 0")
        if not 0 < certificate.failure_probability < 1:
            checks.fails("failure_probability", certificate.failure_probability, "a number between 0 and 1")
        if certificate.bound not in ("anytime", "clopper_pearson"):
            checks.fails("bound", certificate.bound, "anytime or clopper_pearson")
    return len(checks.list) == before


def _is_key(text: str) -> bool:
    return len(text) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in text)


def proven_bounds(record: Record) -> Tuple[Any, Any]:
    """The bounds of h for the class and for every other class that the counts prove, after every deduction."""
    mp = context()
    certificate = record.certificate
    votes, hits = certificate.votes, certificate.votes_for_class
    variation = mp.mpf(certificate.total_variation)
    delta = mp.mpf(certificate.failure_probability)
    has_test = certificate.target_radius > 0 and certificate.bound == "anytime" and not certificate.two_sided
    share = delta / 2 if certificate.two_sided or has_test else delta
    lower = lower_bound(certificate.bound, votes, hits, share) - variation if votes else mp.mpf(0)
    if has_test and votes:
        lower = max(lower, _tested_bound(record, share))
    lower = max(lower, mp.mpf(0))
    upper = 1 - lower
    if certificate.two_sided and votes:
        other = upper_bound(certificate.bound, votes, certificate.votes_for_runner_up, share) + variation
        upper = min(upper, other)
    return lower, upper


def _tested_bound(record: Record, share: Any) -> Any:
    """The bound that the test of the target radius proves, or 0 if the test does not accept."""
    mp = context()
    certificate = record.certificate
    variation = mp.mpf(certificate.total_variation)
    p0 = required_probability(certificate.method, record.alpha, certificate.sigma, certificate.target_radius)
    if p0 is None:
        return mp.mpf(0)
    # The server tests a number that is no smaller than the exact one: it has both p0 and 1 - p0, each rounded to float64. The
    # record carries them as its bounds.
    served = max(mp.mpf(certificate.lower_bound), 1 - mp.mpf(certificate.upper_bound))
    tested = served if p0 <= served <= p0 * (1 + _TARGET_ROUNDING) else p0
    if not tested + variation < 1:
        return mp.mpf(0)
    accepted = log_target_e_value(certificate.votes, certificate.votes_for_class, tested + variation) >= -mp.log(share)
    return tested if accepted else mp.mpf(0)


def check_votes(record: Record, checks: Checks) -> None:
    """Recomputes the bounds and the radius of a smoothed certificate."""
    mp = context()
    certificate = record.certificate
    lower, upper = proven_bounds(record)
    checks.at_most("lower_bound", certificate.lower_bound, lower)
    checks.at_least("upper_bound", certificate.upper_bound, upper)
    radius = smoothed_radius(certificate.method, record.alpha, certificate.sigma, lower, upper)
    radius = max(radius - mp.mpf(certificate.snapping_loss), mp.mpf(0))
    checks.at_most("radius", certificate.radius, radius)
    if certificate.status == "certified" and record.input_dtype == "float32" and certificate.snapping_loss == 0:
        message = (
            "snapping_loss is 0 for a float32 input, as from an early server: the radius covers inputs on the grid, "
            "and not those beside it"
        )
        checks.unknown("snapping_loss", 0.0, message)


def check_lipschitz(record: Record, checks: Checks) -> None:
    """Checks that the margin of h, where the record shows it, allows a certificate. The radius needs the model."""
    low, high = margin_interval(record)
    mu = margin_needed(record.alpha)
    if record.robust_probabilities and not high > mu:
        served = f"a margin of {float((low + high) / 2):.6g}"
        checks.fails("robust_probabilities", served, f"a margin of more than (1 - alpha) / alpha = {float(mu):.6g}")
    checks.unknown("radius", record.certificate.radius, _NEEDS_MODEL)
