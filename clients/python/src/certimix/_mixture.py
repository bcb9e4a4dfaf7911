"""Checks the fields of a prediction around its certificate: the class, its source, the weight, the mixed logits.

The rules are in docs/reference/served-certificates.md, "The statement" and "The weight of the robust model".
"""

from __future__ import annotations

import math
from typing import Any, Sequence, Tuple

from ._bounds import context, margin_needed
from ._record import Record
from ._verdict import Checks

# Half a unit in the last place of float32, relative, and of its smallest numbers.
_FLOAT32_RELATIVE = 2.0**-24
_FLOAT32_SMALLEST = 2.0**-150
# The rounding of the server's float64 arithmetic for shares and mixtures, generously.
_FLOAT64_SLACK = 2.0**-44


def check_prediction(record: Record, checks: Checks) -> None:
    """Checks all fields of the prediction but the certificate."""
    if record.fallback_alpha > record.alpha:
        expected = f"a number from 0 to alpha = {record.alpha}"
        checks.fails("provenance.fallback_alpha", record.fallback_alpha, expected)
    _check_class(record, checks)
    _check_weight(record, checks)
    _check_mixed_logits(record, checks)


def _check_class(record: Record, checks: Checks) -> None:
    certified = record.certificate.status == "certified"
    source = record.class_source
    sources = ("certificate",) if certified else ("mixture", "standard_model")
    checks.require(source in sources, "class_source", source, " or ".join(sources))
    if certified:
        # The certified class is the largest entry of h.
        checks.require(
            record.class_index == record.robust_class_index,
            "class_index",
            record.class_index,
            record.robust_class_index,
            f"class_index is {record.class_index}, but robust_class_index is {record.robust_class_index}: "
            "a certificate is about the largest entry of h",
        )
    elif source == "standard_model":
        expected = record.standard_class_index
        checks.require(record.class_index == expected, "class_index", record.class_index, expected)
    if certified and record.certificate.is_smoothed:
        _check_share(record, checks)
    if source == "mixture" or (certified and not record.certificate.is_smoothed):
        _check_largest("class_index", record.class_index, record.mixed_logits, "mixed_logits", checks)
    for field, index, values in (
        ("standard_class_index", record.standard_class_index, record.standard_probabilities),
        ("robust_class_index", record.robust_class_index, record.robust_probabilities),
    ):
        if values:
            _check_largest(field, index, values, field.replace("class_index", "probabilities"), checks)


def _check_share(record: Record, checks: Checks) -> None:
    """The class of the votes has at least their share in the mixture: `f_y >= ln(a S / n)`. Hardly another class has."""
    mp = context()
    certificate = record.certificate
    counted = certificate.selection_votes + certificate.votes
    if certificate.votes_for_class == 0 or counted == 0:
        return
    least = mp.log(mp.mpf(record.alpha) * certificate.votes_for_class / counted) if record.alpha > 0 else mp.ninf
    served = record.mixed_logits[record.class_index]
    message = (
        f"mixed_logits[{record.class_index}] is {served}, expected at least {float(least):.6g}: "
        f"the class has {certificate.votes_for_class} of {counted} votes at the weight alpha"
    )
    slack = abs(served) * 2 * _FLOAT32_RELATIVE + _FLOAT64_SLACK
    checks.require(served >= least - slack, "class_index", record.class_index, f"the class of {float(least):.6g} or more", message)


def _check_largest(field: str, index: int, values: Sequence[float], name: str, checks: Checks) -> None:
    """Rounding to float32 keeps the order of two numbers, though they may become equal."""
    largest = max(range(len(values)), key=values.__getitem__)
    message = f"{field} is {index}, but entry {largest} of {name} is larger"
    checks.require(values[index] == values[largest], field, index, largest, message)


def margin_interval(record: Record) -> Tuple[Any, Any]:
    """The least and the largest margin of h that the record allows."""
    mp = context()
    if record.robust_probabilities:
        first, second = sorted(map(mp.mpf, record.robust_probabilities), reverse=True)[:2]
        error = (first + second) * _FLOAT32_RELATIVE + 2 * _FLOAT32_SMALLEST + _FLOAT64_SLACK
        return first - second - error, first - second + error
    certificate = record.certificate
    # h are the shares of the selection votes and of `votes`. A selection vote may be for any class, or for none.
    other = certificate.selection_votes
    drawn = other + certificate.votes
    if drawn == 0:
        return mp.mpf(0), mp.mpf(1)
    hits, runner_up = certificate.votes_for_class, certificate.votes_for_runner_up
    third = min(runner_up, certificate.votes - hits - runner_up)
    first, second_low = max(hits, runner_up), min(hits, runner_up)
    second_high = runner_up if hits >= runner_up else max(hits, third)
    low = mp.mpf(max(0, first - second_high - other)) / drawn
    high = mp.mpf(min(drawn, first - second_low + other)) / drawn
    return low - _FLOAT64_SLACK, high + _FLOAT64_SLACK


def _check_weight(record: Record, checks: Checks) -> None:
    served = record.robust_weight
    if record.certificate.status == "certified":
        checks.require(served == record.alpha, "robust_weight", served, record.alpha)
        return
    if record.alpha <= 0.5:
        allowed = [record.fallback_alpha]
    else:
        mu = margin_needed(record.alpha)
        low, high = margin_interval(record)
        allowed = [record.alpha] if high >= mu else []
        if low < mu:
            allowed.append(record.fallback_alpha)
    checks.require(served in allowed, "robust_weight", served, " or ".join(map(repr, allowed)))


def _check_mixed_logits(record: Record, checks: Checks) -> None:
    # The mixed probabilities of all classes add up to 1, or less where a vote is for no class. The server accepts a model's
    # probabilities whose sum is off by 0.001.
    total = sum(math.exp(min(value, 1.0)) for value in record.mixed_logits)
    if total > 1.002:
        checks.fails("mixed_logits", list(record.mixed_logits), "logarithms of numbers whose sum is 1 at most")
    if not (record.standard_probabilities and record.robust_probabilities):
        return
    mp = context()
    weight = mp.mpf(record.robust_weight)
    for index, served in enumerate(record.mixed_logits):
        g, h = mp.mpf(record.standard_probabilities[index]), mp.mpf(record.robust_probabilities[index])
        value = (1 - weight) * g + weight * h
        error = value * _FLOAT32_RELATIVE + _FLOAT32_SMALLEST
        # The server's logarithm has a floor, and float32 rounds it.
        slack = abs(served) * 2 * _FLOAT32_RELATIVE + _FLOAT64_SLACK
        low = mp.log(value - error) - slack if value > error else mp.ninf
        high = mp.log(value + error) + slack
        if not low <= served <= high:
            expected = float(mp.log(value)) if value > 0 else f"at most {float(high):.6g}"
            checks.fails(f"mixed_logits[{index}]", served, expected)
            return
    checks.holds("mixed_logits", list(record.mixed_logits), "ln((1 - w) g + w h)")
