"""Alterations of single fields of a record, and what each may lead to."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Tuple

Row = Dict[str, Any]
Path = Tuple[str, ...]

_WORDS = {
    "status": ("certified", "abstained", "unavailable"),
    "norm": ("l1", "l2", "linf"),
    "method": ("theorem1", "logit_lipschitz", "theorem2", "tight"),
    "bound": ("anytime", "clopper_pearson"),
    "basis": ("proven", "claimed"),
    "class_source": ("certificate", "mixture", "standard_model"),
    "stop_reason": ("vote_budget", "target_reached", "target_out_of_reach", "deadline", "not_sampled", "class_settled"),
    "abstention_reason": ("robust_model_unsure", "too_few_votes", "deadline", "snapping_loss", ""),
}

#: The statement of a record: docs/reference/served-certificates.md, "The statement". For each field the alterations that claim
#: more. Both verifiers must catch each of them, and need the counts, the weight or another field to do it.
STRENGTHENS = {
    ("certificate", "radius"): ("up", "up-a-little"),
    ("certificate", "radius_sq_levels"): ("up", "double"),
    ("certificate", "lower_bound"): ("up", "up-a-little"),
    ("certificate", "upper_bound"): ("down", "down-a-little", "zero"),
    # A target test may accept with room to spare, and then proves a little less than its failure probability.
    ("certificate", "failure_probability"): ("a-billionth", "zero"),
    ("certificate", "status"): ("certified",),
    ("certificate", "norm"): ("l1", "linf"),
    ("certificate", "whole_range"): ("flip",),
    ("certificate", "basis"): ("proven",),
    ("class_index",): ("other",),
    ("robust_weight",): ("up", "down", "zero"),
    ("provenance", "alpha"): ("down", "down-a-little", "zero"),
}

#: What a record says about its input, its models and its run, and no number follows from it. `certimix.replay` compares the hashes
#: and the label with the input, the model and the manifest. The rest is information, on which no statement rests:
#: - times, versions, reasons, the true class and the batch sizes of the models that draw no votes;
#: - the standard model's hash: a certificate holds whatever the standard model does;
#: - the temperature: `replay` uses it for a Lipschitz model, and a smoothed model has none;
#: - the largest radius that the budget could prove, and the target as the caller sent it: neither bounds what the votes prove.
INFORMATION = {
    *((name,) for name in ("file", "input_sha256", "input_dtype", "input_shape", "resized", "exif_orientation", "label")),
    *((name,) for name in ("true_label", "true_class_index", "time_ms", "final")),
    *(("certificate", name) for name in ("reason", "stop_reason", "abstention_reason")),
    *(("certificate", name) for name in ("requested_target_radius", "largest_possible_radius")),
    *(("provenance", name) for name in ("config_revision", "standard_model_sha256", "robust_model_sha256", "server_version")),
    *(("provenance", name) for name in ("robust_temperature", "standard_batch_size", "robust_batch_size")),
    *(("provenance", name) for name in ("runtime_version", "processor")),
}

#: The evidence for the statement. An altered value that still supports the unaltered statement leaves a statement that is true,
#: because it is that of the genuine record. One that does not support it must be caught. `certimix.replay` catches both.
EVIDENCE = {
    *(("certificate", name) for name in ("votes", "votes_for_class", "votes_for_runner_up", "selection_votes", "votes_drawn")),
    *(("certificate", name) for name in ("batch_size", "noise_key", "sigma", "total_variation", "snapping_loss")),
    *(("certificate", name) for name in ("target_radius", "two_sided", "bound", "method", "caveat")),
}

#: Checked only where the record has what it is compared with: the probabilities of both models (`--components`), or a margin below
#: the one that a certificate needs. No statement about certified radii rests on them.
OPTIONAL = {
    *((name,) for name in ("mixed_logits", "standard_probabilities", "robust_probabilities", "standard_class_index")),
    ("provenance", "fallback_alpha"),
}


@dataclass(frozen=True)
class Corruption:
    """A record with one altered field."""

    row: Row
    path: Path
    change: str

    @property
    def strengthens(self) -> bool:
        """True if the altered record states more than the genuine one."""
        if self.change not in STRENGTHENS.get(self.path, ()):
            return False
        certificate = self.row["certificate"]
        # An answer without a certificate states nothing, and more than the whole range is the whole range.
        cut = certificate["whole_range"] and self.path == ("certificate", "radius")
        claims_range = certificate["whole_range"] or self.path != ("certificate", "whole_range")
        # 0 levels may stand for any number.
        levels = certificate["radius_sq_levels"] >= (255 * certificate["radius"]) ** 2
        true = self.path == ("certificate", "radius_sq_levels") and not levels
        return bool(certificate["status"] == "certified" and claims_range and not cut and not true)


def _floats(value: float) -> Iterator[Tuple[str, Any]]:
    yield "up", value * 1.01 if value else 0.01
    yield "down", value * 0.99 if value else -0.01
    yield "up-a-little", value * (1 + 1e-8)
    yield "down-a-little", value * (1 - 1e-8)
    yield "a-billionth", value * 1e-9
    yield "zero", 0.0
    yield "negative", -value


def _integers(value: int) -> Iterator[Tuple[str, Any]]:
    yield "up", value + 1
    if value:
        yield "down", value - 1
        yield "zero", 0
        yield "double", value * 2


def _changes(path: Path, value: Any, classes: int) -> Iterator[Tuple[str, Any]]:
    name = path[-1]
    if name in _WORDS:
        yield from ((word, word) for word in _WORDS[name])
    elif name.endswith("class_index") and isinstance(value, int):
        yield "other", (value + 1) % classes
    elif isinstance(value, bool):
        yield "flip", not value
    elif isinstance(value, int):
        yield from _integers(value)
    elif isinstance(value, float):
        yield from _floats(value)
    elif isinstance(value, str):
        yield "other", ("0" if value[:1] != "0" else "1") + value[1:]
        yield "shorter", value[:-1]
    elif isinstance(value, list) and value and isinstance(value[0], float):
        for index, entry in enumerate(value):
            yield f"entry-{index}", [*value[:index], entry + 0.02, *value[index + 1 :]]


def _leaves(row: Row, prefix: Path = ()) -> Iterator[Tuple[Path, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*prefix, name))
        else:
            yield (*prefix, name), value


def corruptions(row: Row) -> List[Corruption]:
    """Every alteration of one field of a record."""
    made = []
    for path, value in _leaves(row):
        for change, new in _changes(path, value, len(row["mixed_logits"])):
            if new == value and type(new) is type(value):
                continue
            altered = copy.deepcopy(row)
            target = altered
            for name in path[:-1]:
                target = target[name]
            target[path[-1]] = new
            made.append(Corruption(altered, path, change))
    return made
