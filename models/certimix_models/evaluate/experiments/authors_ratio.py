#!/usr/bin/env python3
"""The ratio among the choices of R_i as the authors' code takes it: of the norms of the gradients of the largest outputs, one number an
image, where Eq. 3 and choice_of_r.py have one for each class.

    python models/evaluate/paper/authors_ratio.py --norm linf   # writes authors-ratio-linf.*
    python models/evaluate/paper/authors_ratio.py --norm l2
"""

import curves
import figures
from curves import Variant
from mixture import RATIO_OF_LARGEST

NAME = "ratio-probabilities"  # that of the authors' curve
LABEL = r"R = $||\nabla \max_j g_j|| / ||\nabla \max_j h_j||$, probabilities"

if __name__ == "__main__":
    variants = [Variant(NAME, LABEL, RATIO_OF_LARGEST, "probabilities")]
    curves.main(__doc__, "authors-ratio", 200, variants, {NAME: (figures.COLOURS[3], "-")}, ends={NAME: "h alone"})
