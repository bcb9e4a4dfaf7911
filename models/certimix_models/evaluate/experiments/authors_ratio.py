"""The ratio among the choices of R_i as the authors' code computes it.

It is the ratio of the norms of the gradients of the largest outputs, one number for each image. Eq.
3 and `choice_of_r` have one number for each class.
"""

import argparse

from certimix_models.evaluate import plotting
from certimix_models.evaluate.experiments.tradeoff_curves import CurveVariant, run_curves
from certimix_models.evaluate.networks.mixture import RATIO_OF_LARGEST

NAME = "ratio-probabilities"  # the name of the authors' curve
LABEL = r"R = $||\nabla \max_j g_j|| / ||\nabla \max_j h_j||$, probabilities"


def run(options: argparse.Namespace) -> None:
    variants = [CurveVariant(NAME, LABEL, RATIO_OF_LARGEST, "probabilities")]
    run_curves(options, "authors-ratio", variants, {NAME: (plotting.COLOURS[3], "-")}, ends={NAME: "h alone"})
