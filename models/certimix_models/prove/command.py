"""The command `prove`."""

import argparse
from pathlib import Path

from certimix_models.command import Command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("manifest", type=Path, nargs="?", help="the model manifest (.toml) beside the ONNX file")
    parser.add_argument(
        "--sign", type=Path, metavar="KEY", help="write NAME.proof.json beside the ONNX file, signed with this key"
    )
    parser.add_argument("--new-key", type=Path, metavar="KEY", help="create a key, print its public half, and exit")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


PROVE = Command(
    name="prove",
    summary="prove a network's Lipschitz constant and rounding error from its ONNX file",
    description="""
Proves, from the ONNX file alone, the two numbers that the manifest of a Lipschitz network claims,
and rejects a claim that is smaller than what is proved.

  certimix_models prove models/cifar10/lipschitz.toml
  certimix_models prove --new-key proof.key
  certimix_models prove models/cifar10/lipschitz.toml --sign proof.key

constant            The vector of logits is `constant`-Lipschitz in l2 on all of R^n. The prover
                    follows the graph from the input. Each node multiplies the constant by a proven
                    upper bound of its own.
logit_error_bound   For an input in the manifest's range, a runtime computes each logit to within
                    this bound: an a priori bound for sums in any order, with or without fused
                    multiply-adds. It assumes IEEE arithmetic in the types that the graph names: no
                    TF32, and no fast convolutions that reassociate products (Winograd, FFT). For
                    a float32 network the bound is large; `rewrite-float64` makes it small.

Both hold for every row of a batch of any size. The prover rejects an operator that it does not
know, and a graph that may mix the rows of a batch.

--sign writes what was proved as NAME.proof.json beside the ONNX file, signed with an Ed25519 key.
The server then reports the constant as proven instead of claimed, if its setting
certificate.proof_keys holds the key's public half. An existing record is checked.

Exit status 1: the manifest claims less than is proved, or the prover does not know the network.
Needs numpy and onnx; --sign and --new-key also need cryptography.
""",
    module="certimix_models.prove.check_manifest",
    add_arguments=_add_arguments,
)
