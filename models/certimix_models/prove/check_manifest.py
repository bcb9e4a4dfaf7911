"""Checks the claims of a manifest against what is proved from its ONNX file, and signs the proof."""

import argparse
import hashlib
import json
import sys
import tomllib

from certimix_models.prove import proof_record
from certimix_models.prove.graph_node import NotProvable
from certimix_models.prove.network_proof import Proof, prove_network

PROVABLE_GUARANTEE = {"kind": "lipschitz_logits", "norm": "l2"}


def run(options: argparse.Namespace) -> None:
    if options.new_key:
        print(proof_record.create_key(options.new_key))
        return
    if options.manifest is None:
        options.usage_error("a manifest is required")
    manifest = tomllib.loads(options.manifest.read_text())
    claim = manifest["guarantee"]
    for key, value in PROVABLE_GUARANTEE.items():
        if claim.get(key) != value:
            sys.exit(f'{options.manifest}: can prove only guarantee.{key} = "{value}", not "{claim.get(key)}"')
    model_path = options.manifest.parent / manifest["file"]
    content = model_path.read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        sys.exit(f"{options.manifest}: the model is not the one that the manifest names")
    try:
        proof = prove_network(content, manifest["input"]["shape"], *manifest["input"]["range"])
    except NotProvable as reason:
        sys.exit(f"{options.manifest}: cannot prove anything about this network: {reason}")
    if proof.classes != len(manifest["labels"]):
        sys.exit(f"{options.manifest}: {len(manifest['labels'])} labels for {proof.classes} logits")
    # If a vector is L-Lipschitz, so is each of its elements: this proves both kinds of constant.
    violations = [
        f"guarantee.{key} is {claim[key]!r}, and only {proved!r} is proved"
        for key, proved in (("constant", proof.lipschitz), ("logit_error_bound", proof.error))
        if not claim[key] >= proved
    ]
    if options.json:
        print(json.dumps(report_json(manifest, proof, violations)))
    else:
        print_table(manifest, proof)
    statement = proof_record.proof_statement(manifest, proof)
    record_path = proof_record.record_path(model_path)
    if options.sign and not violations:
        record_path.write_text(json.dumps(proof_record.sign_statement(statement, options.sign), indent=2) + "\n")
    if record_path.exists():
        recorded = json.loads(json.loads(record_path.read_text())["statement"])
        violations += [
            f"{record_path}: {key} is {recorded.get(key)!r}, and {statement[key]!r} is proved"
            for key in proof_record.overstated_fields(recorded, statement)
        ]
    if violations:
        sys.exit("\n".join(f"{options.manifest}: {violation}" for violation in violations))


def report_json(manifest: dict, proof: Proof, violations: list[str]) -> dict:
    """The object that `--json` prints."""
    return {
        "name": manifest["name"],
        "sha256": manifest["sha256"],
        "constant": proof.lipschitz,
        "logit_error_bound": proof.error,
        "claimed": {key: manifest["guarantee"][key] for key in ("constant", "logit_error_bound")},
        "claims_too_small": violations,
        "steps": [vars(step) for step in proof.steps],
    }


def print_table(manifest: dict, proof: Proof) -> None:
    print(f"{manifest['name']}: from the input to each node, for a batch of one")
    print(f"  {'operator':<18} {'shape':<18} {'its factor':>11} {'l2 constant':>12} {'rounding, l2':>13}  node")
    for step in proof.steps:
        shape = "x".join(map(str, step.shape[1:]))
        print(
            f"  {step.operator:<18} {shape:<18} {step.factor:11.6f} {step.lipschitz:12.6f} {step.error:13.3g}  {step.name}"
        )
    claim = manifest["guarantee"]
    print(f"the vector of logits is {proof.lipschitz:.9f}-Lipschitz in l2; the manifest claims {claim['constant']}")
    print(f"each logit is computed to within {proof.error:.3g}; the manifest claims {claim['logit_error_bound']}")
