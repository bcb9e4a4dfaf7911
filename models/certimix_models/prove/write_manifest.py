"""Writes what is proved into a manifest, or creates the manifest."""

import json
import math
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

from certimix_models.prove import proof_record
from certimix_models.prove.manifest_edit import remove_value, set_values, toml_value, write_file
from certimix_models.prove.network_proof import Proof
from certimix_models.prove.subject import Subject

DIGITS = {"constant": 7, "logit_error_bound": 3}  # significant digits, rounded up
SOURCE = "both numbers are proved by `certimix_models prove` from the ONNX file"

NEW_MANIFEST = """\
manifest_version = 1
name = {name}
file = {file}
sha256 = {sha256}
labels = [{labels}]

[input]
name = {input_name}
dtype = "float32"
shape = {shape}        # without the batch axis
range = {range}        # values outside are refused

[output]
name = {output_name}
kind = "logits"

[guarantee]
kind = "lipschitz_logits"
norm = "l2"
constant = {constant}
constant_of = "logit_vector"
logit_error_bound = {logit_error_bound}
source = {source}
"""


def round_up(value: float, digits: int) -> float:
    """At least `value`, with this many significant digits."""
    exact = Decimal(value)
    if exact == 0:
        return 0.0
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), rounding=ROUND_CEILING))


def write_guarantee(subject: Subject, proof: Proof, labels: list[str] | None, signs: bool) -> list[str]:
    """Writes the guarantee and returns what was done, one line for each field. `signs`: a new proof
    record follows. Raises `NotEditable`, and `ValueError` if labels are missing or too many.
    """
    proved = {"constant": proof.lipschitz, "logit_error_bound": proof.error}
    if subject.manifest_text is None:
        return _create(subject, proof, labels, proved)
    manifest, text, done = subject.manifest, subject.manifest_text, []
    if subject.manifest_names_another_model:
        done.append(f"sha256: {manifest['sha256'][:8]}... -> {subject.sha256[:8]}...")
        text = set_values(text, None, {"sha256": subject.sha256})
    old = manifest.get("guarantee", {})
    values: dict[str, str | float] = {}
    if old.get("kind") != "lipschitz_logits":
        values = {"kind": "lipschitz_logits", "norm": "l2", "constant_of": "logit_vector", "source": SOURCE}
        done.append(f"guarantee.kind: {old.get('kind', 'absent')} -> lipschitz_logits")
        old = {}
    values.setdefault("constant_of", old.get("constant_of", "logit_vector"))
    values.setdefault("norm", "l2")
    values.setdefault("source", old.get("source", SOURCE))
    record, is_signed = _record_about(subject, proof)
    for key, number in proved.items():
        values[key], reason = choose_number(
            key, number, old.get(key), None if signs or record is None else record[key], is_signed
        )
        change = f"{values[key]!r}" if values[key] == old.get(key) else f"{old.get(key, 'absent')} -> {values[key]!r}"
        done += [f"guarantee.{key}: {change}", f"  {reason}"]
    edited = set_values(text, "guarantee", {key: value for key, value in values.items() if old.get(key) != value})
    if "basis" in old:
        # A person stated the old numbers. The new ones are proved.
        edited = remove_value(edited, "guarantee", "basis")
        done.append(f"guarantee.basis: {old['basis']} -> absent")
    if edited == subject.manifest_text:
        return [f"{subject.manifest_path} needs no change", *done]
    write_file(subject.manifest_path, edited)
    subject.manifest_text = edited
    return [f"wrote {subject.manifest_path}", *done]


def choose_number(
    key: str, proved: float, claimed: object, recorded: float | None, is_signed: bool
) -> tuple[float, str]:
    """The number to write and the reason for it. `recorded`: the number of a record beside this
    model that stays.

    A smaller number that a signed record proves stays. So does a larger one that the server needs:
    it refuses a manifest that claims less than its record.
    """
    rounded = round_up(proved, DIGITS[key])
    if not isinstance(claimed, (int, float)) or isinstance(claimed, bool) or not math.isfinite(claimed):
        return rounded, "proved, rounded up"
    if claimed < proved:
        if recorded is not None and recorded <= claimed and is_signed:
            return claimed, f"kept: the signed record proves {recorded!r}, this run {proved!r}"
        return rounded, f"the claim was too small: {proved!r} is proved"
    if claimed <= rounded:
        return claimed, "kept: it is proved"
    if recorded is not None and recorded > rounded:
        number = min(claimed, round_up(recorded, DIGITS[key]))
        return number, f"the record states {recorded!r}; --sign KEY renews it, for {rounded!r}"
    return rounded, "proved, rounded up"


def _record_about(subject: Subject, proof: Proof) -> tuple[dict | None, bool]:
    """The statement of the record beside the model, if it is about this model, and whether its
    signature is valid.
    """
    path = proof_record.record_path(subject.model_path)
    if not path.exists():
        return None, False
    record = json.loads(path.read_text())
    statement = json.loads(record["statement"])
    about = proof_record.proof_statement(subject.manifest | {"sha256": subject.sha256}, proof)
    if proof_record.other_subject_fields(statement, about):
        return None, False
    return statement, proof_record.has_valid_signature(record)


def _create(subject: Subject, proof: Proof, labels: list[str] | None, proved: dict[str, float]) -> list[str]:
    path: Path = subject.manifest_path
    if labels is not None and (len(labels) != proof.classes or len(set(labels)) != len(labels)):
        raise ValueError(f"--labels has {len(labels)} labels; {proof.classes} different ones are expected, one a line")
    names = labels or [f"class {index}" for index in range(proof.classes)]
    numbers = {key: round_up(number, DIGITS[key]) for key, number in proved.items()}
    text = NEW_MANIFEST.format(
        name=toml_value(subject.model_path.stem),
        file=toml_value(subject.model_path.name),
        sha256=toml_value(subject.sha256),
        labels=", ".join(map(toml_value, names)),
        input_name=toml_value(subject.input_name),
        output_name=toml_value(subject.output_name),
        shape=subject.shape,
        range=subject.range,
        source=toml_value(SOURCE),
        **numbers,
    )
    write_file(path, text)
    subject.manifest_text = text
    done = [f"created {path}", *(f"guarantee.{key}: {number!r}" for key, number in numbers.items())]
    return done if labels else [*done, f"labels: class 0 to class {proof.classes - 1}; replace them by the real ones"]
