"""Commands of `evaluate` that run the experiments with attacks."""

import argparse
from functools import partial
from pathlib import Path

from certimix_models.command import Command
from certimix_models.evaluate.defaults import MIX_ALPHAS, STRENGTHS, TEMPERATURE
from certimix_models.evaluate.options import add_experiment_options, add_pgd_options
from certimix_models.repository import BUNDLED_MODELS

_EXPERIMENTS = "certimix_models.evaluate.experiments"


def _add_alpha_curve_arguments(parser: argparse.ArgumentParser) -> None:
    add_pgd_options(parser, images=500)
    parser.add_argument(
        "--alphas", type=float, nargs="+", default=MIX_ALPHAS, help="alphas at which MIX runs, beside 0 and 1"
    )


ALPHA_CURVE = Command(
    name="alpha-curve",
    summary="accuracy of the mixture against alpha, clean and attacked (Fig. 2)",
    description="""
Measures the accuracy of the mixture (Eq. 4) against alpha, on clean images and under three attacks
of PGD-20: the paper's Fig. 2. STD attacks g alone, ROB attacks h alone, MIX attacks the mixture of
that alpha end to end. "worst" counts an image as correct only if none of the three succeeded.

  certimix_models evaluate alpha-curve --norm linf   # h: adversarial.toml; alpha-linf.csv and .png
  certimix_models evaluate alpha-curve --norm l2     # h: lipschitz.toml;   alpha-l2.csv and .png

Every count is of the classes that ONNX Runtime computes for the final images. The figure shows the
authors' own curves, from their notebook, beside ours.
""",
    module=f"{_EXPERIMENTS}.alpha_curve",
    add_arguments=_add_alpha_curve_arguments,
)


def _add_margins_arguments(parser: argparse.ArgumentParser) -> None:
    _add_alpha_curve_arguments(parser)
    parser.add_argument(
        "--alpha", type=float, default=0.8, help="alpha of the mixture's rows; one of --alphas (default: 0.8)"
    )


PROBABILITY_MARGINS = Command(
    name="probability-margins",
    summary="mean margin of the two largest probabilities (Table I)",
    description="""
Measures the mean margin between the two largest probabilities, for correct and for incorrect
answers: the paper's Table I. g is attacked through g, h through h, the mixture (--alpha) through
the mixture.

  certimix_models evaluate probability-margins --norm linf   # margins-linf.csv and .png
  certimix_models evaluate probability-margins --norm l2

Reads the raw results of `alpha-curve` with the same options, or computes them.
""",
    module=f"{_EXPERIMENTS}.probability_margins",
    add_arguments=_add_margins_arguments,
)


def _add_tradeoff_arguments(parser: argparse.ArgumentParser) -> None:
    add_pgd_options(parser, images=200)
    parser.add_argument(
        "--strengths", type=float, nargs="+", default=STRENGTHS, help="values of gamma times the median of R_i"
    )


CHOICE_OF_R = Command(
    name="choice-of-r",
    summary="attacked against clean accuracy for four choices of R_i (Fig. 1 and 4)",
    description="""
Measures attacked against clean accuracy for four choices of R_i in Eq. 3, on logits and on
probabilities: the paper's Fig. 1 and Fig. 4. R_i is 1, ||grad g_i||, ||grad max_j g_j|| or
||grad g_i|| / ||grad h_i||.

  certimix_models evaluate choice-of-r --norm linf   # h: adversarial.toml; choice-of-r-linf.*
  certimix_models evaluate choice-of-r --norm l2     # h: lipschitz.toml;   choice-of-r-l2.*

g and h are logits or probabilities throughout, also in the gradients of R_i. The attack is end to
end: it differentiates R_i too, as the authors' code does (`allow_grad`). That code takes both norms
of the ratio at the largest output (`accelerate`); here they are each class's own, as in Eq. 3.
""",
    module=f"{_EXPERIMENTS}.choice_of_r",
    add_arguments=_add_tradeoff_arguments,
)

AUTHORS_RATIO = Command(
    name="authors-ratio",
    summary="the ratio among the choices of R_i as the authors' code computes it",
    description="""
Measures the ratio among the choices of R_i as the authors' code computes it: the ratio of the norms
of the gradients of the largest outputs, one number for each image. Eq. 3 and `choice-of-r` have one
number for each class.

  certimix_models evaluate authors-ratio --norm linf   # authors-ratio-linf.*
  certimix_models evaluate authors-ratio --norm l2
""",
    module=f"{_EXPERIMENTS}.authors_ratio",
    add_arguments=_add_tradeoff_arguments,
)

LOCALLY_BIASED_SMOOTHING = Command(
    name="locally-biased-smoothing",
    summary="locally biased smoothing (Eq. 1 and 2) beside the mixture (Eq. 4)",
    description="""
Compares locally biased smoothing for many classes (the paper's Eq. 1 and 2) with the mixture of
probabilities (Eq. 4).

  certimix_models evaluate locally-biased-smoothing --norm linf   # h: adversarial.toml; smoothing-linf.*
  certimix_models evaluate locally-biased-smoothing --norm l2     # h: lipschitz.toml;   smoothing-l2.*

Eq. 1 is g_i + gamma ||grad g_i|| h_i, on logits. Eq. 2 divides it by 1 + gamma ||grad g_i||. h is
the robust network, or the class of the nearest of the 50,000 training images in l2 (+1, and -1 for
the other classes: the oracle of the binary method). An attack treats the neighbour's class as
constant, which it is nearly everywhere. The neighbour of the final image is searched again.
""",
    module=f"{_EXPERIMENTS}.locally_biased_smoothing",
    add_arguments=_add_tradeoff_arguments,
)

ROBUST_MODEL_ACCURACY = Command(
    name="robust-model-accuracy",
    summary="accuracy of the robust model without a mixture, clean and under PGD-20",
    description="""
Measures the accuracy of the robust model without a mixture: on all 10,000 clean test images, and
under PGD-20 on some of them. Every count is of the classes that ONNX Runtime computes.

  certimix_models evaluate robust-model-accuracy --norm linf   # h: adversarial.toml; alone.csv
  certimix_models evaluate robust-model-accuracy --norm l2     # h: lipschitz.toml;   alone.csv
""",
    module=f"{_EXPERIMENTS}.robust_model_accuracy",
    add_arguments=partial(add_pgd_options, images=1000),
)


def _add_autoattack_arguments(parser: argparse.ArgumentParser) -> None:
    add_experiment_options(parser)
    parser.add_argument(
        "--case", choices=["linf", "l2", "both"], default="both", help="the norm of the attack (default: both)"
    )
    parser.add_argument(
        "--alphas", type=float, nargs="+", default=[0, 0.5, 0.75, 0.9, 1], help="alphas of the mixtures"
    )
    parser.add_argument(
        "--adversarial", type=Path, default=BUNDLED_MODELS / "adversarial.toml", help="manifest of h in l-infinity"
    )
    parser.add_argument("--lipschitz", type=Path, default=BUNDLED_MODELS / "lipschitz.toml", help="manifest of h in l2")
    parser.add_argument(
        "--temperature",
        type=float,
        default=TEMPERATURE["l2"],
        help="temperature of the Lipschitz h: softmax(z / temperature)",
    )
    parser.add_argument("--images", type=int, default=100, help="number of test images, evenly spaced (default: 100)")
    parser.add_argument(
        "--full", action="store_true", help="AutoAttack's own numbers of steps, targets and queries, and FAB"
    )


AUTOATTACK = Command(
    name="autoattack",
    summary="AutoAttack on the mixture at several alphas",
    description="""
Runs AutoAttack on the mixture at several alphas: in l-infinity with the adversarially trained h, in
l2 with the Lipschitz h. alpha 0 is g alone, alpha 1 is h alone.

  certimix_models evaluate autoattack                  # both norms, up to 20 minutes each
  certimix_models evaluate autoattack --case linf --images 1000 --full

The attacks are the authors' own (PyPI: pyautoattack): APGD on the cross entropy, targeted APGD on
DLR, Square, and with --full targeted FAB. --full uses AutoAttack's numbers of steps, targets and
queries; the default uses fewer. Each image is first tried with the adversarial images of other
alphas. PGD-20 as in `alpha-curve`, the worst of STD, ROB and MIX, runs on the same images.

An image counts as broken only if ONNX Runtime, on the bundled files and mixed in float64, gives
another class at a distance measured in float64. Exit status 1: a certified image was broken.
""",
    module=f"{_EXPERIMENTS}.autoattack",
    add_arguments=_add_autoattack_arguments,
)


def _add_certificate_attack_arguments(parser: argparse.ArgumentParser) -> None:
    add_experiment_options(parser)
    parser.add_argument(
        "--family",
        choices=["lipschitz", "smoothed", "both"],
        default="both",
        help="family of the certificates (default: both)",
    )
    parser.add_argument("--certificates", type=Path, nargs="*", default=[], help="answers of the server, JSON lines")
    parser.add_argument(
        "--lipschitz", type=Path, default=BUNDLED_MODELS / "lipschitz.toml", help="manifest of the Lipschitz h"
    )
    parser.add_argument(
        "--smoothed", type=Path, default=BUNDLED_MODELS / "smoothed-025.toml", help="manifest of the smoothed h"
    )
    parser.add_argument("--images", type=int, default=200, help="certificates to attack in each family (default: 200)")
    parser.add_argument(
        "--effort", type=float, default=1, help="factor on the steps, and on the restarts or votes (default: 1)"
    )
    parser.add_argument(
        "--nearest",
        type=int,
        default=0,
        help="attack only the N of inside_radius.csv that came nearest to breaking; writes inside_radius_nearest.csv",
    )
    parser.add_argument("--tag", default="", help="suffix of the file names, for a run with other settings")
    computed = parser.add_argument_group("without --certificates")
    computed.add_argument("--alpha", type=float, default=0.76, help="alpha of the mixture (default: 0.76)")
    computed.add_argument(
        "--fallback-alpha", type=float, help="weight of h below the margin (default: alpha, the paper's mixture)"
    )
    computed.add_argument(
        "--temperature",
        type=float,
        default=TEMPERATURE["l2"],
        help="temperature of the Lipschitz h: softmax(z / temperature)",
    )
    computed.add_argument(
        "--votes", type=int, default=1000, help="votes for each certificate of the smoothed network (default: 1000)"
    )
    computed.add_argument(
        "--failure-probability",
        type=float,
        default=1e-6,
        help="failure probability of each certificate (default: 1e-6)",
    )


ATTACK_CERTIFICATES = Command(
    name="attack-certificates",
    summary="the strongest adaptive attacks inside the certified radius",
    description="""
Attacks certificates inside their radius: 200 certified images of each family, by the strongest
adaptive attack available. Writes inside_radius.csv and .png.

  certimix_models evaluate attack-certificates --family lipschitz --certificates lipschitz.jsonl
  certimix_models evaluate attack-certificates --family smoothed --certificates smoothed.jsonl

  certimix_models evaluate attack-certificates --family lipschitz --images 500 --alpha 0.71 \
      --temperature 0.176 --fallback-alpha 0 --tag gated         # certificates of a gated mixture

The certificates are the server's own answers (`certimix predict test.npy --json`, `certimix certify
...`). Without any, the command computes its own. --nearest attacks those that came nearest to
breaking again, with more --effort.

No certificate may break. One that does is printed with all that is known about it, and the exit
status is 1.
""",
    module="certimix_models.evaluate.certificate_attacks.attack_certificates",
    add_arguments=_add_certificate_attack_arguments,
)


def _add_no_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


MULTIPLY_ADDS = Command(
    name="multiply-adds",
    summary="multiply-adds for one image of the bundled models",
    description="""
Counts the multiply-adds for one image of the bundled models, and of the ResNet-110 that Cohen and
others (2019) smoothed, by PyTorch. Writes docs/results/cost.csv. It counts convolutions and matrix
products, not element-wise operations.
""",
    module=f"{_EXPERIMENTS}.multiply_adds",
    add_arguments=_add_no_arguments,
)

SELF_TEST = Command(
    name="self-test",
    summary="check the tools of the experiments against slower, simpler ones",
    description="""
Checks the tools of the experiments against slower or simpler ways to the same numbers, in half a
minute: operators, mixtures, gradients, attacks, intervals and the nearest neighbour.
""",
    module=f"{_EXPERIMENTS}.self_test",
    add_arguments=_add_no_arguments,
)
