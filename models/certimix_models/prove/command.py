"""The command `prove`."""

import argparse
from pathlib import Path

from certimix_models.command import Command


def _parse_shape(text: str) -> list[int]:
    try:
        return [int(size) for size in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}; whole numbers are expected, for example 3,32,32") from None


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, nargs="?", help="the ONNX file, or its manifest (.toml)")
    parser.add_argument(
        "--range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="the range of every input value, without a manifest",
    )
    parser.add_argument(
        "--shape", type=_parse_shape, metavar="C,H,W", help="the shape of one input, if the graph does not fix it"
    )
    parser.add_argument("--write", action="store_true", help="write [guarantee] into the manifest, or create it")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="labels for a new manifest, one a line")
    parser.add_argument(
        "--inputs", type=Path, metavar="FILE.npy", help="count the certificates that rounding allows these inputs"
    )
    parser.add_argument(
        "--no-float64", action="store_true", help="do not compute what a rewrite to float64 would prove"
    )
    parser.add_argument(
        "--sign", type=Path, metavar="KEY", help="write NAME.proof.json beside the ONNX file, signed with this key"
    )
    parser.add_argument("--new-key", type=Path, metavar="KEY", help="create a key, print its public half, and exit")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


PROVE = Command(
    name="prove",
    summary="prove a network's Lipschitz constant and rounding error from its ONNX file",
    description="""
Proves, from an ONNX file alone, the two numbers that the manifest of a Lipschitz
network states. Prints them, and what rounding costs a certificate.

  certimix_models prove net.onnx --range 0 1            # no manifest needed
  certimix_models prove net.onnx --range 0 1 --write    # and create net.toml
  certimix_models prove net.toml                        # check a manifest
  certimix_models prove net.toml --write                # and correct it
  certimix_models prove --new-key proof.key
  certimix_models prove net.toml --sign proof.key

An ONNX file is proved for the shape and the range of the manifest beside it
(NAME.toml). Without one, state --range; --shape only if the graph leaves it open.

constant            The vector of logits is `constant`-Lipschitz in l2 on all of
                    R^n. Each node multiplies the constant by a proven upper
                    bound of its own.
logit_error_bound   For an input in the range, a runtime computes each logit to
                    within this bound: for sums in any order, another one for
                    each output, with or without fused multiply-adds. It assumes
                    IEEE arithmetic in the types that the graph names: no TF32,
                    and no fast convolutions (Winograd, FFT).

A certificate pays four times the error bound. In float32 that is a large share of
most margins. `rewrite-float64` makes it negligible, for about three times the
cost; `prove` prints what it would change. --inputs counts the inputs whose margin
is large enough, before and after.

Both numbers hold for every row of a batch of any size. The prover rejects an
operator that it does not know, and a graph that may mix the rows of a batch.

--write keeps the comments of the manifest. It raises a claim that is too small,
and lowers one to what is proved. It keeps a smaller number that the signed record
beside the model proves, and prints each change. A new manifest has the labels of
--labels, otherwise "class 0" and so on.

--sign writes what was proved as NAME.proof.json beside the ONNX file, signed with
an Ed25519 key. The server then reports the constant as proven instead of claimed,
if its setting certificate.proof_keys holds the key's public half. An existing
record is checked.

Exit status 1: the manifest claims less than is proved, or the prover does not
know the network. Needs numpy and onnx; --sign and --new-key also cryptography.
""",
    module="certimix_models.prove.check_manifest",
    add_arguments=_add_arguments,
)
