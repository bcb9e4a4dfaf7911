"""Votes of a smoothed classifier on one image after another, and the files that hold them.

A row of a file is one image: the selected class, the number of estimation votes, how many of them
were for the class and for the runner-up, and the counts of all classes over selection and
estimation together, for the mixture's own probabilities. The first line of a file holds the
settings with which the votes were drawn.
"""

import csv
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from certimix_models.evaluate.networks.bundled_model import BundledModel
from certimix_models.evaluate.networks.noisy_votes import count_votes
from certimix_models.evaluate.smoothed_votes.stopping_rule import StoppingRule

COLUMNS = ["image", "label", "class", "votes", "votes_for_class", "votes_for_runner_up", "counts"]


@dataclass(frozen=True)
class VoteSettings:
    """The settings on which the votes depend, besides the image."""

    model: str
    sha256: str
    sigma: float
    every: int
    selection: int
    failure_probability: float
    radii: str
    budget: int
    resolution: float
    seed: int

    def header(self) -> str:
        """The first line of a file."""
        return "# " + " ".join(f"{key}={value}" for key, value in asdict(self).items())


@dataclass(frozen=True)
class VoteRecord:
    """The votes of one image."""

    image: int
    label: int
    selected: int
    votes: int
    votes_for_class: int
    votes_for_runner_up: int
    counts: tuple[int, ...]

    def csv_fields(self) -> list:
        """The cells of the row."""
        return [*list(vars(self).values())[:-1], " ".join(map(str, self.counts))]


def draw_votes_for_image(
    model: BundledModel, rule: StoppingRule, selection: int, index: int, image: np.ndarray, label: int, seed: int
) -> VoteRecord:
    """Draws the votes of one image until the rule stops."""
    generator = np.random.default_rng([seed, index])
    selection_counts = count_votes(model, image, selection, generator)
    selected = int(selection_counts.argmax())
    estimation_counts, drawn = np.zeros_like(selection_counts), 0
    # A wrong class never counts as certified, for any radius: it gets no votes.
    while selected == label and not rule.is_done(int(estimation_counts[selected]), drawn):
        chunk = rule.next_chunk(drawn)
        estimation_counts += count_votes(model, image, chunk, generator)
        drawn += chunk  # includes a row with a NaN, which votes for no class
    others = np.delete(estimation_counts, selected)
    votes = [int(value) for value in (drawn, estimation_counts[selected], others.max())]
    return VoteRecord(
        index, label, selected, *votes, tuple(int(value) for value in selection_counts + estimation_counts)
    )


def read_votes(path: Path) -> tuple[dict[str, str], list[VoteRecord]]:
    """The settings, as text, and the records in the order of the images. A last line that is
    incomplete is skipped.
    """
    text = path.read_text()
    first, *lines = text[: text.rfind("\n") + 1].splitlines()
    settings = dict(item.split("=", 1) for item in first[2:].split())
    rows = [
        VoteRecord(*(int(line[column]) for column in COLUMNS[:-1]), tuple(map(int, line["counts"].split())))
        for line in csv.DictReader(lines)
    ]
    return settings, sorted(rows, key=lambda row: row.image)


def write_votes(path: Path, settings: str, rows: list[VoteRecord]) -> None:
    """Writes the settings and the records, in the order of the images."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        file.write(settings + "\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row.csv_fields() for row in sorted(rows, key=lambda row: row.image))
