"""Attacked against clean accuracy for four choices of R_i in Eq. 3: the paper's Fig. 1 and Fig. 4.

R_i is 1, ||grad g_i||, ||grad max_j g_j|| or ||grad g_i|| / ||grad h_i||. g and h are logits or
probabilities throughout.
"""

import argparse

from certimix_models.evaluate import plotting
from certimix_models.evaluate.experiments.tradeoff_curves import CurveVariant, run_curves
from certimix_models.evaluate.networks.mixture import R_CHOICES, SCALES

VARIANTS = [
    CurveVariant(f"{choice}-{scale}", f"R = {formula}, {scale}", choice, scale)
    for scale in reversed(SCALES)
    for choice, formula in R_CHOICES.items()
]
STYLES = {
    variant.name: (
        plotting.COLOURS[list(R_CHOICES).index(variant.choice)],
        "-" if variant.scale == "probabilities" else "--",
    )
    for variant in VARIANTS
}


def run(options: argparse.Namespace) -> None:
    run_curves(options, "choice-of-r", VARIANTS, STYLES, ends={VARIANTS[0].name: "h alone"})
