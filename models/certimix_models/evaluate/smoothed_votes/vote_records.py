"""Votes of a smoothed classifier on one image after another, and the files that keep them.

A row of a file is one image: what was selected, how many estimation votes were drawn, how many of them were for the class and for the
runner-up, and the counts of all classes over selection and estimation together, for the mixture's own probabilities. The first line
of a file says how the votes were drawn.
"""

import csv
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from models import Model
from noisy_votes import counts as counts_of
from stopping import Stopping

COLUMNS = ["image", "label", "class", "votes", "votes_for_class", "votes_for_runner_up", "counts"]


@dataclass(frozen=True)
class Origin:
    """What the votes depend on besides the image."""

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

    def line(self) -> str:
        return "# " + " ".join(f"{key}={value}" for key, value in asdict(self).items())


@dataclass(frozen=True)
class Row:
    image: int
    label: int
    selected: int
    votes: int
    votes_for_class: int
    votes_for_runner_up: int
    counts: tuple[int, ...]

    def fields(self) -> list:
        return [*list(vars(self).values())[:-1], " ".join(map(str, self.counts))]


def draw(model: Model, rule: Stopping, selection: int, index: int, image: np.ndarray, label: int, seed: int) -> Row:
    random = np.random.default_rng([seed, index])
    counts = counts_of(model, image, selection, random)
    selected = int(counts.argmax())
    estimated, drawn = np.zeros_like(counts), 0
    # A wrong class is never counted as certified, whatever its radius: no votes are spent on it.
    while selected == label and not rule.done(int(estimated[selected]), drawn):
        chunk = rule.chunk(drawn)
        estimated += counts_of(model, image, chunk, random)
        drawn += chunk  # a row with a NaN, which votes for no class, among them
    others = np.delete(estimated, selected)
    votes = [int(value) for value in (drawn, estimated[selected], others.max())]
    return Row(index, label, selected, *votes, tuple(int(value) for value in counts + estimated))


def read(path: Path) -> tuple[dict[str, str], list[Row]]:
    """The origin, as text, and the rows in the order of the images. A last line that was cut off is left out."""
    text = path.read_text()
    first, *lines = text[: text.rfind("\n") + 1].splitlines()
    origin = dict(item.split("=", 1) for item in first[2:].split())
    rows = [
        Row(*(int(line[column]) for column in COLUMNS[:-1]), tuple(map(int, line["counts"].split())))
        for line in csv.DictReader(lines)
    ]
    return origin, sorted(rows, key=lambda row: row.image)


def write(path: Path, origin: str, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        file.write(origin + "\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row.fields() for row in sorted(rows, key=lambda row: row.image))
