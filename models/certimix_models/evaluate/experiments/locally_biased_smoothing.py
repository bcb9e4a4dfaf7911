"""Locally biased smoothing for many classes (the paper's Eq. 1 and 2) beside the mixture of
probabilities (Eq. 4).
"""

import argparse

from certimix_models.evaluate import plotting
from certimix_models.evaluate.experiments.tradeoff_curves import CurveVariant, run_curves

VARIANTS = [
    CurveVariant("eq4-network", "Eq. 4 (probabilities), robust network", "one", "probabilities"),
    CurveVariant("eq1-network", "Eq. 1, robust network", "gradient", "logits", normalised=False),
    CurveVariant("eq2-network", "Eq. 2, robust network", "gradient", "logits"),
    CurveVariant("eq1-nearest", "Eq. 1, nearest neighbour", "gradient", "logits", normalised=False, oracle=True),
    CurveVariant("eq2-nearest", "Eq. 2, nearest neighbour", "gradient", "logits", oracle=True),
]
STYLES = {
    variant.name: (colour, "--" if variant.oracle else "-") for variant, colour in zip(VARIANTS, plotting.COLOURS)
}


def run(options: argparse.Namespace) -> None:
    run_curves(
        options,
        "smoothing",
        VARIANTS,
        STYLES,
        ends={"eq4-network": "h alone", "eq2-nearest": "nearest neighbour alone"},
    )
