"""Options that several commands of `evaluate` share."""

import argparse
from pathlib import Path

from certimix_models.evaluate.defaults import PGD_STEPS
from certimix_models.repository import BUNDLED_MODELS, DEFAULT_RESULT_CACHE, DEFAULT_WORK_DIR, RESULTS


def add_work_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work-dir", type=Path, default=DEFAULT_WORK_DIR, help="where the data set is cached")


def add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch and ONNX Runtime (default: 1)")


def add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="folder of the CSV files and figures (default: docs/results)"
    )


def add_experiment_options(parser: argparse.ArgumentParser) -> None:
    """The options of every experiment that attacks networks."""
    parser.add_argument(
        "--standard", type=Path, default=BUNDLED_MODELS / "standard.toml", help="manifest of g (default: standard.toml)"
    )
    add_threads(parser)
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
    add_work_dir(parser)
    parser.add_argument(
        "--results-dir",
        type=Path,
        default=DEFAULT_RESULT_CACHE,
        help="folder of the raw results, which survive a restart",
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help="folder of the CSV file and the figure (default: docs/results)"
    )
    parser.add_argument("--plot-only", action="store_true", help="draw the figure again from the CSV file")


def add_pgd_options(parser: argparse.ArgumentParser, images: int) -> None:
    """The options of every experiment with PGD in one norm; `images` is the default of --images."""
    add_experiment_options(parser)
    parser.add_argument("--norm", choices=["linf", "l2"], default="linf", help="norm of the attack (default: linf)")
    parser.add_argument("--epsilon", type=float, help="radius of the attack (default: 8/255, in l2 0.5)")
    parser.add_argument("--robust", type=Path, help="manifest of h (default: adversarial.toml, in l2 lipschitz.toml)")
    parser.add_argument("--temperature", type=float, help="h is softmax(z / temperature) (default: 1, in l2 0.2)")
    parser.add_argument(
        "--images", type=int, default=images, help=f"number of test images, evenly spaced (default: {images})"
    )
    parser.add_argument("--steps", type=int, default=PGD_STEPS, help=f"steps of PGD (default: {PGD_STEPS})")
    parser.add_argument("--tag", default="", help="suffix of the file names, for a run with other settings")
