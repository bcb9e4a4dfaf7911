#!/usr/bin/env python3
"""Locally biased smoothing for many classes (the paper's Eq. 1 and 2) beside the mixture of probabilities (Eq. 4).

    python models/evaluate/paper/smoothing.py --norm linf   # h: adversarial.toml; writes smoothing-linf.csv and .png
    python models/evaluate/paper/smoothing.py --norm l2     # h: lipschitz.toml;   writes smoothing-l2.csv and .png

Eq. 1 is g_i + gamma ||grad g_i|| h_i and Eq. 2 divides it by 1 + gamma ||grad g_i||, on logits. In the place of h
stands the robust network, or the class of the nearest of the 50,000 training images in l2 (+1, and -1 for the others:
the binary method's oracle). An attack takes the neighbour's class for constant, which it is nearly everywhere; the
neighbour of the final image is searched anew.
"""

import curves
import figures
from curves import Variant

VARIANTS = [
    Variant("eq4-network", "Eq. 4 (probabilities), robust network", "one", "probabilities"),
    Variant("eq1-network", "Eq. 1, robust network", "gradient", "logits", normalised=False),
    Variant("eq2-network", "Eq. 2, robust network", "gradient", "logits"),
    Variant("eq1-nearest", "Eq. 1, nearest neighbour", "gradient", "logits", normalised=False, oracle=True),
    Variant("eq2-nearest", "Eq. 2, nearest neighbour", "gradient", "logits", oracle=True),
]
STYLES = {variant.name: (colour, "--" if variant.oracle else "-") for variant, colour in zip(VARIANTS, figures.COLOURS)}


if __name__ == "__main__":
    curves.main(__doc__, "smoothing", 200, VARIANTS, STYLES, ends={"eq4-network": "h alone", "eq2-nearest": "nearest neighbour alone"})
