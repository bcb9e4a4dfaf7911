"""Commands of `evaluate` that measure certified accuracy, and the report."""

import argparse
from pathlib import Path

from certimix_models.command import Command
from certimix_models.evaluate.defaults import PUBLISHED_VOTES, RADIUS_RESOLUTION, VOTE_RADII
from certimix_models.evaluate.options import add_results, add_threads, add_work_dir
from certimix_models.repository import BUNDLED_MODELS, DEFAULT_RESULT_CACHE, RESULTS


def _add_vote_plan_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--radii",
        type=float,
        nargs="+",
        default=VOTE_RADII,
        help="radii to prove, in l2 (default: 0 to 0.75 in steps of 0.125)",
    )
    parser.add_argument(
        "--failure-probability",
        type=float,
        default=0.001,
        help="failure probability of each certificate (default: 0.001)",
    )
    parser.add_argument(
        "--budget", type=int, default=PUBLISHED_VOTES, help="most votes for one image (default: 100000)"
    )
    parser.add_argument(
        "--resolution",
        type=float,
        default=RADIUS_RESOLUTION,
        help="step in radius, in units of sigma; finer costs more votes (default: 0.1)",
    )


def _add_draw_votes_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "manifests", type=Path, nargs="*", help="manifests of smoothed models; none: only certified.csv and .png"
    )
    parser.add_argument("--every", type=int, default=20, help="use every n-th test image, from the first (default: 20)")
    parser.add_argument("--images", type=int, help="use only so many of them, for a trial; writes nothing to docs")
    _add_vote_plan_arguments(parser)
    parser.add_argument(
        "--selection", type=int, default=100, help="votes that select the class and are not used again (default: 100)"
    )
    parser.add_argument("--shard", default="0/1", help="i/n: every n-th of the images, from the i-th (default: 0/1)")
    add_threads(parser)
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (default: 0)")
    add_work_dir(parser)
    parser.add_argument(
        "--cache",
        type=Path,
        default=DEFAULT_RESULT_CACHE / "certified",
        help="folder of the counts, which survive a restart",
    )
    parser.add_argument(
        "--table", help="name of the file of votes (default: votes_MODEL.csv; the summary reads files so named)"
    )
    add_results(parser)


DRAW_VOTES = Command(
    name="draw-votes",
    summary="draw votes of smoothed models and write their certified accuracy",
    description="""
Measures certified accuracy against radius of smoothed models, beside Cohen and others (2019).

  certimix_models evaluate draw-votes models/cifar10/smoothed-025.toml --shard 0/2 &
  certimix_models evaluate draw-votes models/cifar10/smoothed-025.toml --shard 1/2

ONNX Runtime draws the votes from the bundled file, for every 20th test image: 100 votes select the
class, then as many as the stopping rule requires. The counts of each image are kept at once in
.cache/results/certified, so that a run that is stopped continues there. Shards may run side by side
or one after another. After the last image the command writes docs/results/votes_MODEL.csv, and
from all such files certified.csv and certified.png.
""",
    module="certimix_models.evaluate.smoothed_votes.draw_votes",
    add_arguments=_add_draw_votes_arguments,
)


def _add_certified_accuracy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", type=Path, nargs="?", default=RESULTS, help="folder of votes_*.csv (default: docs/results)"
    )


CERTIFIED_ACCURACY = Command(
    name="certified-accuracy",
    summary="certified accuracy from the votes that were drawn",
    description="""
Writes certified.csv and certified.png from the committed votes, docs/results/votes_*.csv.

A model is certified at radius r on an image if its class is the label and sigma Phi^-1(p) is at
least r (for r = 0: above 0). p is the lower bound of the class's probability: the anytime bound,
which `certimix radius` computes from the same counts.

Votes are drawn to prove certain radii. Between these radii more votes would raise the curve.
""",
    module="certimix_models.evaluate.smoothed_votes.certified_accuracy",
    add_arguments=_add_certified_accuracy_arguments,
)


def _add_simulate_votes_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=4000, help="number of images to simulate (default: 4000)")
    _add_vote_plan_arguments(parser)


SIMULATE_VOTES = Command(
    name="simulate-votes",
    summary="simulate how many votes the stopping rule draws",
    description="""
Simulates how many votes the stopping rule draws, and how much certified accuracy it loses against
100,000 votes for each image. Runs no network.

Phi^-1(p) of the images is drawn from a normal distribution that has the certified accuracies of
Cohen and others (2019).
""",
    module="certimix_models.evaluate.smoothed_votes.simulate_votes",
    add_arguments=_add_simulate_votes_arguments,
)


def _add_certified_curves_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--standard", type=Path, default=BUNDLED_MODELS / "standard.toml", help="manifest of g")
    parser.add_argument(
        "--lipschitz", type=Path, default=BUNDLED_MODELS / "lipschitz.toml", help="manifest of the Lipschitz h"
    )
    parser.add_argument(
        "--votes", type=Path, default=RESULTS / "votes_smoothed-025.csv", help="votes of the smoothed h"
    )
    parser.add_argument(
        "--wider-votes",
        type=Path,
        default=RESULTS / "far_votes_smoothed-050.csv",
        help="votes of an h with a larger sigma",
    )
    parser.add_argument(
        "--levels", type=float, nargs="+", default=[0.90, 0.85, 0.80, 0.75], help="levels of clean accuracy"
    )
    parser.add_argument(
        "--every", type=int, default=1, help="for the Lipschitz network: use every n-th test image (default: 1)"
    )
    add_threads(parser)
    add_work_dir(parser)
    parser.add_argument(
        "--cache",
        type=Path,
        default=DEFAULT_RESULT_CACHE / "fig3",
        help="folder of the logits, which survive a restart",
    )
    add_results(parser)
    parser.add_argument("--plot-only", action="store_true", help="draw the figure again from the CSV file")


CERTIFIED_CURVES = Command(
    name="certified-curves",
    summary="certified accuracy of the mixture at matched clean accuracy (Fig. 3)",
    description="""
Measures certified accuracy against radius of the mixture, by each certificate, at matched clean
accuracy: Fig. 3 of the paper, and more. Writes fig3.csv and fig3.png.

  certimix_models evaluate certified-curves

The settings of the mixture give it each level of clean accuracy: with a smoothed h alpha alone,
with a Lipschitz h alpha and robust_temperature. Of the pairs that fit, the command takes the one
that certifies most images at the radius 36/255. Certificates: Theorems 1 and 2 of the paper, the
tight radius (smoothed) and the radius in logit space (Lipschitz). h alone is drawn beside them.
The last panel is the paper's own comparison: one h alone, and the mixture with another h, smoothed
with more noise (--wider-votes), of the same clean accuracy.

With a Lipschitz h, half of the test set chooses the settings and the other half is reported. With a
smoothed h, all images that have votes are reported: only alpha is chosen, by the clean accuracy.
Logits come from ONNX Runtime on the bundled files and are kept in .cache/results/fig3.
""",
    module="certimix_models.evaluate.experiments.certified_curves",
    add_arguments=_add_certified_curves_arguments,
)


def _add_report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail if a document or a CSV file is out of date"
    )


REPORT = Command(
    name="report",
    summary="write the tables of the documents from the CSV files, or check them",
    description="""
Writes the tables of docs/results.md and of the model card from the CSV files in docs/results, so
that no number is typed by hand.

  certimix_models evaluate report          # rewrites the text between <!-- table NAME --> and <!-- end -->
  certimix_models evaluate report --check  # fails if a document or a CSV file is out of date

--check fails if a table differs from its CSV file, if a CSV file is not as its command wrote it, or
if it was computed from another model. The test tests/results.rs runs it. Needs Python only.
""",
    module="certimix_models.evaluate.report.report",
    add_arguments=_add_report_arguments,
)
