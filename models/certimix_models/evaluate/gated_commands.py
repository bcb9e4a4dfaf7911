"""Commands of `evaluate` that compare the gated mixture with the paper's."""

import argparse
from pathlib import Path

from certimix_models.command import Command
from certimix_models.evaluate.options import add_results, add_threads, add_work_dir
from certimix_models.repository import BUNDLED_MODELS, DEFAULT_RESULT_CACHE

_GATED = "certimix_models.evaluate.gated_mixtures"


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--standard", type=Path, default=BUNDLED_MODELS / "standard.toml", help="manifest of g (default: standard.toml)"
    )
    parser.add_argument(
        "--robust",
        type=Path,
        default=BUNDLED_MODELS / "lipschitz.toml",
        help="manifest of the Lipschitz h (default: lipschitz.toml)",
    )
    add_threads(parser)
    add_work_dir(parser)


def _add_row_options(parser: argparse.ArgumentParser) -> None:
    """The options of the experiments that need one row of each network for each image."""
    _add_models(parser)
    parser.add_argument("--splits", type=int, default=20, help="random splits for the means (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the splits (default: 0)")
    parser.add_argument(
        "--cache",
        type=Path,
        default=DEFAULT_RESULT_CACHE / "fig3",
        help="folder of the logits, which survive a restart",
    )
    add_results(parser)
    parser.add_argument("--plot-only", action="store_true", help="draw the figure again from the CSV file")


def _add_choose_setting_arguments(parser: argparse.ArgumentParser) -> None:
    _add_row_options(parser)
    parser.add_argument(
        "--levels",
        type=float,
        nargs="+",
        default=[level / 100 for level in range(78, 91)],
        help="least clean accuracies (default: 0.78 to 0.90 in steps of 0.01)",
    )


CHOOSE_SETTING = Command(
    name="choose-setting",
    summary="the best alpha, T and fallback_alpha at each clean accuracy",
    description="""
Chooses alpha, robust_temperature and fallback_alpha for a Lipschitz h, for the highest certified
accuracy at 36/255 (and at 0.5) among the settings with at least a given clean accuracy. Writes
setting.csv and setting.png.

  certimix_models evaluate choose-setting
  certimix_models evaluate choose-setting --robust models/cifar10/other.toml --results .cache/other

Three rules are compared: the paper's mixture (fallback_alpha = alpha), the gated mixture with
fallback_alpha 0, and the gated mixture with the best fallback_alpha. All use the radius in logit
space, which does not depend on fallback_alpha.

The test images with an odd index choose, the others are reported, with exact 95 % intervals.
--splits random splits give the means and standard deviations in the last columns.
""",
    module=f"{_GATED}.choose_setting",
    add_arguments=_add_choose_setting_arguments,
)


def _add_class_thresholds_arguments(parser: argparse.ArgumentParser) -> None:
    _add_row_options(parser)
    parser.add_argument(
        "--levels",
        type=float,
        nargs="+",
        default=[0.78, 0.8, 0.82, 0.84, 0.85, 0.86, 0.88, 0.9],
        help="least clean accuracies (default: 0.78 to 0.90 in steps of 0.02, and 0.85)",
    )


CLASS_THRESHOLDS = Command(
    name="class-thresholds",
    summary="whether a threshold for each class of h certifies more",
    description="""
Measures whether a gated mixture certifies more with another alpha, and so another threshold, for
each class that h predicts. Writes class_thresholds.csv and class_thresholds.png.

  certimix_models evaluate class-thresholds

The certificates stay valid: on a certified ball the class of h does not change, so Lemma 1 is used
with the alpha of that class alone. One half of the test images chooses, the other half is reported,
for --splits random splits. Both rules are compared at equal clean accuracy on the reported half.
""",
    module=f"{_GATED}.class_thresholds",
    add_arguments=_add_class_thresholds_arguments,
)
