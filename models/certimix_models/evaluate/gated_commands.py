"""Commands of `evaluate` that compare the gated mixture with the paper's."""

import argparse
from functools import partial
from pathlib import Path

from certimix_models.command import Command
from certimix_models.evaluate.defaults import PGD_STEPS
from certimix_models.evaluate.options import add_results, add_threads, add_work_dir
from certimix_models.repository import BUNDLED_MODELS, DEFAULT_RESULT_CACHE, RESULTS

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


def _add_attack_options(parser: argparse.ArgumentParser, images: int) -> None:
    """The options of the attacks on both mixtures."""
    _add_models(parser)
    parser.add_argument(
        "--level", type=float, default=0.85, help="level of clean accuracy in setting.csv (default: 0.85)"
    )
    parser.add_argument(
        "--images",
        type=int,
        default=images,
        help=f"number of test images, at random from the reported half (default: {images})",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
    parser.add_argument(
        "--results-dir",
        type=Path,
        default=DEFAULT_RESULT_CACHE,
        help="folder of the raw results, which survive a restart",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=RESULTS,
        help="folder of setting.csv, of the CSV file and of the figure (default: docs/results)",
    )
    parser.add_argument("--plot-only", action="store_true", help="draw the figure again from the CSV file")


def _add_gated_pgd_arguments(parser: argparse.ArgumentParser) -> None:
    _add_attack_options(parser, images=400)
    parser.add_argument("--steps", type=int, default=PGD_STEPS, help=f"steps of each attack (default: {PGD_STEPS})")


GATED_PGD = Command(
    name="gated-pgd",
    summary="PGD-20 on the gated mixture and on the paper's, gate included",
    description="""
Attacks the gated mixture and the paper's in l2 by PGD-20, at 36/255 and 0.5. Both have the settings
of setting.csv for one level of clean accuracy. Writes gated_pgd.csv and gated_pgd.png.

  certimix_models evaluate gated-pgd

The attacks are on g, on h, on the paper's mixture, on the gated mixture with an open gate, on one
with a smooth gate, and on the gate first and then on g. Every adversarial image is tried on both
mixtures. "all" counts an image only if it withstands every attack. Exit status 1: an image was
broken within its certified radius.
""",
    module=f"{_GATED}.gated_pgd",
    add_arguments=_add_gated_pgd_arguments,
)

GATED_AUTOATTACK = Command(
    name="gated-autoattack",
    summary="AutoAttack on the gated mixture and on the paper's, gate included",
    description="""
Attacks the gated mixture and the paper's in l2 at 36/255 by AutoAttack, with the numbers of steps,
targets and queries of `autoattack --case l2`. Both have the settings of setting.csv for one level
of clean accuracy. Writes gated_autoattack.csv and gated_autoattack.png.

  certimix_models evaluate gated-autoattack

The gated mixture is attacked through an open gate, through a smooth gate, gate first and then g,
and by Square through the exact gate. Each mixture is also tried with the images that broke the
other. Exit status 1: an image was broken within its certified radius.
""",
    module=f"{_GATED}.gated_autoattack",
    add_arguments=partial(_add_attack_options, images=100),
)
