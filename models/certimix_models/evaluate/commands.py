"""The commands of `evaluate`."""

from certimix_models.command import CommandGroup
from certimix_models.evaluate.certified_commands import (
    CERTIFIED_ACCURACY,
    CERTIFIED_CURVES,
    DRAW_VOTES,
    REPORT,
    SIMULATE_VOTES,
)
from certimix_models.evaluate.experiment_commands import (
    ALPHA_CURVE,
    ATTACK_CERTIFICATES,
    AUTHORS_RATIO,
    AUTOATTACK,
    CHOICE_OF_R,
    LOCALLY_BIASED_SMOOTHING,
    MULTIPLY_ADDS,
    PROBABILITY_MARGINS,
    ROBUST_MODEL_ACCURACY,
    SELF_TEST,
)
from certimix_models.evaluate.gated_commands import CHOOSE_SETTING, CLASS_THRESHOLDS, GATED_AUTOATTACK, GATED_PGD
from certimix_models.evaluate.served_commands import ACCURACY, SERVED_ACCURACY, VOTES_TO_DECIDE

EVALUATE = CommandGroup(
    name="evaluate",
    summary="measure accuracy and votes, run the paper's experiments",
    description="""
Measures the bundled models and the answers of a running server, and runs the experiments of Bai,
Anderson, Sojoudi (arXiv 2311.15165). Tables and figures go to docs/results.

models/docs/evaluation.md and models/docs/experiments.md describe the commands.
""",
    commands=[
        ACCURACY,
        SERVED_ACCURACY,
        VOTES_TO_DECIDE,
        ALPHA_CURVE,
        PROBABILITY_MARGINS,
        CHOICE_OF_R,
        AUTHORS_RATIO,
        LOCALLY_BIASED_SMOOTHING,
        ROBUST_MODEL_ACCURACY,
        DRAW_VOTES,
        CERTIFIED_ACCURACY,
        SIMULATE_VOTES,
        CERTIFIED_CURVES,
        CHOOSE_SETTING,
        CLASS_THRESHOLDS,
        GATED_PGD,
        GATED_AUTOATTACK,
        AUTOATTACK,
        ATTACK_CERTIFICATES,
        MULTIPLY_ADDS,
        REPORT,
        SELF_TEST,
    ],
)
