#!/usr/bin/env python3
"""Attacked against clean accuracy for four choices of R_i in Eq. 3, on logits and on probabilities: the paper's Fig. 1
and Fig. 4.

    python models/evaluate/paper/choice_of_r.py --norm linf   # h: adversarial.toml; writes choice-of-r-linf.*
    python models/evaluate/paper/choice_of_r.py --norm l2     # h: lipschitz.toml;   writes choice-of-r-l2.*

R_i is 1, ||grad g_i||, ||grad max_j g_j|| or ||grad g_i|| / ||grad h_i||; g and h are logits or probabilities
throughout, R_i's gradients included. The attack is end to end: it differentiates R_i too, as the authors' code does
(`allow_grad`). That code takes both norms of the ratio at the largest output (`accelerate`); here they are the
class's own, as Eq. 3 says.
"""

import curves
import figures
from curves import Variant
from mixture import CHOICES, SCALES

VARIANTS = [
    Variant(f"{choice}-{scale}", f"R = {words}, {scale}", choice, scale)
    for scale in reversed(SCALES)
    for choice, words in CHOICES.items()
]
STYLES = {
    variant.name: (
        figures.COLOURS[list(CHOICES).index(variant.choice)],
        "-" if variant.scale == "probabilities" else "--",
    )
    for variant in VARIANTS
}


if __name__ == "__main__":
    curves.main(__doc__, "choice-of-r", 200, VARIANTS, STYLES, ends={VARIANTS[0].name: "h alone"})
