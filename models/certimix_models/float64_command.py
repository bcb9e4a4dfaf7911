"""The command `rewrite-float64`."""

import argparse
from pathlib import Path

from certimix_models.command import Command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", type=Path, help="the ONNX file to read")
    parser.add_argument("rewritten", type=Path, help="the ONNX file to write")


REWRITE_FLOAT64 = Command(
    name="rewrite-float64",
    summary="rewrite a network so that it computes in float64",
    description="""
Rewrites an ONNX network so that it computes in float64 between its float32 input and its float32
output. The weights stay the same float32 numbers.

A Lipschitz certificate pays for the rounding of the logits, in any order of the sums. The error
bound that `prove` finds in float32 is a large share of most margins. For a rewritten network the
bound is about one rounding of each logit, and the constant is the same. The rewritten network is
about three times slower. `prove` prints both bounds before you decide.

  certimix_models rewrite-float64 network.onnx network-float64.onnx
  certimix_models prove network-float64.onnx --range 0 1 --write
""",
    module="certimix_models.float64_rewrite",
    add_arguments=_add_arguments,
)
