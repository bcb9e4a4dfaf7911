"""Proves an ONNX file, compares a manifest with the proof or writes it, and signs the proof."""

import argparse
import json
import sys

from certimix_models.prove import proof_record, report, rounding_cost
from certimix_models.prove.graph_node import NotProvable
from certimix_models.prove.manifest_edit import NotEditable
from certimix_models.prove.network_proof import Proof, prove_network
from certimix_models.prove.subject import Subject, SubjectError, read_subject
from certimix_models.prove.write_manifest import write_guarantee

PROVABLE_GUARANTEE = {"kind": "lipschitz_logits", "norm": "l2"}
NUMBERS = ("constant", "logit_error_bound")


def run(options: argparse.Namespace) -> None:
    if options.new_key:
        print(proof_record.create_key(options.new_key))
        return
    if options.model is None:
        options.usage_error("an ONNX file or a manifest is required")
    try:
        subject = read_subject(options)
        _require_provable_guarantee(subject, options)
        inputs = None if options.inputs is None else rounding_cost.read_inputs(options.inputs, subject)
        labels = None if options.labels is None else options.labels.read_text().splitlines()
    except (SubjectError, OSError) as reason:
        sys.exit(str(reason))
    try:
        proof = prove_network(subject.content, subject.shape, *subject.range)
    except NotProvable as reason:
        sys.exit(f"{subject.model_path}: cannot prove anything about this network: {reason}")
    if subject.manifest is not None and proof.classes != len(subject.manifest["labels"]):
        sys.exit(f"{subject.manifest_path}: {len(subject.manifest['labels'])} labels for {proof.classes} logits")
    done = []
    if options.write:
        try:
            done = write_guarantee(subject, proof, labels, signs=options.sign is not None)
        except (NotEditable, ValueError, OSError) as reason:
            sys.exit(f"{subject.manifest_path}: {reason}")
    violations = [] if options.write else claims_too_small(subject, proof)
    offer = None
    if not options.no_float64 and rounding_cost.computes_in_float32(subject.content):
        offer = rounding_cost.offer_float64(subject)
    errors = [proof.error] if offer is None or offer.error is None else [proof.error, offer.error]
    certified = [] if inputs is None else rounding_cost.count_certified(subject, inputs, errors)
    if options.json:
        print(json.dumps(report.report_json(subject, proof, violations, offer, certified, done)))
    else:
        _print_report(subject, proof, offer, certified, inputs, done)
    violations += _sign_and_check_record(subject, proof, options, violations)
    if violations:
        sys.exit("\n".join(f"{subject.manifest_path}: {violation}" for violation in violations))


def _print_report(subject: Subject, proof: Proof, offer, certified: list[int], inputs, done: list[str]) -> None:
    report.print_steps(subject, proof)
    report.print_result(subject, proof)
    if offer is not None:
        report.print_offer(subject, proof, offer, certified, 0 if inputs is None else len(inputs))
    elif certified:
        print(f"at most {certified[0]} of {len(inputs)} inputs can have a certificate")
    if done:
        print("\n" + "\n  ".join(done))
    elif subject.manifest is None:
        print(f"\n--write creates {subject.manifest_path} with this guarantee")
    elif subject.manifest.get("guarantee", {}).get("kind") != PROVABLE_GUARANTEE["kind"]:
        print(f"\n--write puts this guarantee into {subject.manifest_path}, which has none")


def _require_provable_guarantee(subject: Subject, options: argparse.Namespace) -> None:
    """Raises `SubjectError` for a manifest about another model or another kind of guarantee."""
    manifest = subject.manifest
    if manifest is None:
        if options.sign and not options.write:
            raise SubjectError("--sign needs a manifest; --write creates one")
        return
    claim = manifest.get("guarantee", {})
    if claim.get("kind", "none") != "none":
        for key, value in PROVABLE_GUARANTEE.items():
            if claim.get(key) != value:
                raise SubjectError(
                    f'{subject.manifest_path}: can prove only guarantee.{key} = "{value}", not "{claim.get(key)}"'
                )
        missing = [key for key in NUMBERS if not options.write and key not in claim]
        if missing:
            raise SubjectError(f"{subject.manifest_path}: guarantee.{missing[0]} is missing; --write adds it")
    if manifest["output"].get("kind", "logits") != "logits":
        raise SubjectError(f'{subject.manifest_path}: output.kind is not "logits", and only logits are proved')
    for field, stated, actual in (
        ("input.name", manifest["input"]["name"], subject.input_name),
        ("output.name", manifest["output"]["name"], subject.output_name),
    ):
        if stated != actual:
            raise SubjectError(f'{subject.manifest_path}: {field} is "{stated}", and the network has "{actual}"')
    if subject.manifest_names_another_model and not options.write:
        raise SubjectError(
            f"{subject.manifest_path}: the model is not the one that the manifest names (sha256); "
            "--write proves the new one and updates the manifest"
        )


def claims_too_small(subject: Subject, proof: Proof) -> list[str]:
    """The numbers of the manifest that are smaller than what is proved.

    If a vector is L-Lipschitz, so is each of its elements: this proves both kinds of constant.
    """
    claim = (subject.manifest or {}).get("guarantee", {})
    if claim.get("kind") != PROVABLE_GUARANTEE["kind"]:
        return []
    return [
        f"guarantee.{key} is {claim[key]!r}, and only {proved!r} is proved"
        for key, proved in zip(NUMBERS, (proof.lipschitz, proof.error))
        if not claim[key] >= proved
    ]


def _sign_and_check_record(
    subject: Subject, proof: Proof, options: argparse.Namespace, violations: list[str]
) -> list[str]:
    """Writes the record, if that is asked for, and checks the one that exists."""
    if subject.manifest is None:
        return []
    statement = proof_record.proof_statement(subject.manifest, proof)
    path = proof_record.record_path(subject.model_path)
    if options.sign and not violations:
        path.write_text(json.dumps(proof_record.sign_statement(statement, options.sign), indent=2) + "\n")
    if not path.exists():
        return []
    recorded = json.loads(json.loads(path.read_text())["statement"])
    overstated = proof_record.overstated_fields(recorded, statement)
    if options.write and not options.sign:
        other = proof_record.other_subject_fields(recorded, statement)
        if other:
            print(f"{path} is about another model or input ({', '.join(other)}): sign again, or remove it")
        return []
    return [f"{path}: {key} is {recorded.get(key)!r}, and {statement[key]!r} is proved" for key in overstated]
