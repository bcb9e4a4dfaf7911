#!/usr/bin/env python3
"""Proves, from the ONNX file alone, what the manifest of a Lipschitz network claims, and refuses a claim that is too small.

    python3 models/evaluate/lipschitz_bound.py models/cifar10/lipschitz.toml [--json]
    python3 models/evaluate/lipschitz_bound.py --new-key proof.key
    python3 models/evaluate/lipschitz_bound.py models/cifar10/lipschitz.toml --sign proof.key

1. The vector of logits is `constant`-Lipschitz in l2 on all of R^n: the graph is walked from the input, and each node multiplies the
   constant by an upper bound of its own (`lipschitz/operators.py`). An operator that is not known is refused. Norms of
   convolutions and matrices are proved in floating point (`lipschitz/spectral.py`); products are rounded up.
2. What a runtime computes for an input in the manifest's range is off by at most `logit_error_bound` in each logit: an a priori
   bound for sums in any order, with or without fused multiply-adds. It supposes IEEE arithmetic in the types that the
   graph names: no TF32 and no fast convolutions that reassociate products (Winograd, FFT). A layer and an Add after it are charged as if
   the runtime made one sum of both. In float32 such a bound is honest but large,
   because every rounding may conspire; a network that `models/train/float64.py` rewrote pays one rounding of each logit.

3. Both hold for every row of a batch of any size: a graph that might mix rows is refused (`lipschitz/rows.py`).

`--sign` writes what was proved beside the ONNX file, as NAME.proof.json, signed with an Ed25519 key (`--new-key` makes one). The server then calls
the constant proven instead of claimed, if the key's public half is in its `certificate.proof_keys`. A record that is there is checked.

Exit status 1 if the manifest claims less than is proved here, or the network is not understood. Needs numpy and onnx; to sign, cryptography.
"""

import argparse
import hashlib
import json
import sys
import tomllib
from pathlib import Path

from lipschitz import record
from lipschitz.operators import Refused
from lipschitz.walk import Proof, prove

EXPECTED = {"kind": "lipschitz_logits", "norm": "l2"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?")
    parser.add_argument("--sign", type=Path, metavar="KEY", help="write NAME.proof.json beside the ONNX file, signed with this key")
    parser.add_argument("--new-key", type=Path, metavar="KEY", help="make a key, print its public half, and do nothing else")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args()
    if options.new_key:
        print(record.new_key(options.new_key))
        return
    if options.manifest is None:
        parser.error("a manifest is required")
    manifest = tomllib.loads(options.manifest.read_text())
    claim = manifest["guarantee"]
    for key, value in EXPECTED.items():
        if claim.get(key) != value:
            sys.exit(f"{options.manifest}: only guarantee.{key} = \"{value}\" is proved here, not \"{claim.get(key)}\"")
    content = (options.manifest.parent / manifest["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        sys.exit(f"{options.manifest}: the model is not the one that the manifest names")
    try:
        proof = prove(content, manifest["input"]["shape"], *manifest["input"]["range"])
    except Refused as refused:
        sys.exit(f"{options.manifest}: nothing is proved of this network: {refused}")
    if proof.classes != len(manifest["labels"]):
        sys.exit(f"{options.manifest}: {len(manifest['labels'])} labels for {proof.classes} logits")
    # Of a vector that is L-Lipschitz each element is, so that either kind of constant is proved.
    small = [
        f"guarantee.{key} is {claim[key]!r}, and only {proved!r} is proved"
        for key, proved in (("constant", proof.lipschitz), ("logit_error_bound", proof.error))
        if not claim[key] >= proved
    ]
    if options.json:
        print(json.dumps(as_json(manifest, proof, small)))
    else:
        print_table(manifest, proof)
    model = options.manifest.parent / manifest["file"]
    about = record.statement(manifest, proof)
    if options.sign and not small:
        record.path_of(model).write_text(json.dumps(record.sign(about, options.sign), indent=2) + "\n")
    if record.path_of(model).exists():
        recorded = json.loads(json.loads(record.path_of(model).read_text())["statement"])
        small += [f"{record.path_of(model)}: {key} is {recorded.get(key)!r}, and {about[key]!r} is proved" for key in record.too_much(recorded, about)]
    if small:
        sys.exit("\n".join(f"{options.manifest}: {line}" for line in small))


def as_json(manifest: dict, proof: Proof, small: list[str]) -> dict:
    return {
        "name": manifest["name"],
        "sha256": manifest["sha256"],
        "constant": proof.lipschitz,
        "logit_error_bound": proof.error,
        "claimed": {key: manifest["guarantee"][key] for key in ("constant", "logit_error_bound")},
        "claims_too_small": small,
        "steps": [vars(step) for step in proof.steps],
    }


def print_table(manifest: dict, proof: Proof) -> None:
    print(f"{manifest['name']}: from the input to each node, for a batch of one")
    print(f"  {'operator':<18} {'shape':<18} {'its factor':>11} {'l2 constant':>12} {'rounding, l2':>13}  node")
    for step in proof.steps:
        shape = "x".join(map(str, step.shape[1:]))
        print(f"  {step.operator:<18} {shape:<18} {step.factor:11.6f} {step.lipschitz:12.6f} {step.error:13.3g}  {step.name}")
    claim = manifest["guarantee"]
    print(f"the vector of logits is {proof.lipschitz:.9f}-Lipschitz in l2; the manifest claims {claim['constant']}")
    print(f"each logit is computed to within {proof.error:.3g}; the manifest claims {claim['logit_error_bound']}")


if __name__ == "__main__":
    main()
