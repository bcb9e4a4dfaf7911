"""How the tables of the documents read their rows and format their cells. Needs Python only."""

import csv
from itertools import pairwise
from typing import NamedTuple

from certimix_models.repository import RESULTS

NORMS = {"linf": "l-infinity", "l2": "l2"}


class Table(NamedTuple):
    """A table of a document."""

    head: list[str]
    body: list[list[str]]
    caption: str = ""

    def markdown(self) -> str:
        """The table in Markdown, after its caption."""
        lines = [self.head, ["---"] * len(self.head), *self.body]
        caption = f"{self.caption}\n\n" if self.caption else ""
        return caption + "".join(f"| {' | '.join(line)} |\n" for line in lines)


Row = dict[str, str]


def read_rows(name: str) -> list[Row]:
    """The rows of a CSV file, as text."""
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def group_by_column(rows: list[Row], column: str) -> dict[str, list[Row]]:
    """The rows by their value of a column."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row)
    return found


def format_number(text: str, digits: int = 1) -> str:
    """The number with so many digits, or a dash if there is none."""
    return f"{float(text):.{digits}f}" if text else "-"


def format_attack(row: Row) -> str:
    """The attack's norm and radius, for pixels in [0, 1]."""
    epsilon = float(row["epsilon"])
    in_levels = round(255 * epsilon)
    radius = f"{in_levels}/255" if abs(255 * epsilon - in_levels) < 1e-3 else f"{epsilon:g}"
    return f"{NORMS[row['norm']]}, {radius}"


def caption_of(row: Row, images: int | str, attack: str = "PGD-20") -> str:
    """The caption: the attack, h and the number of images."""
    h = row["robust"].removeprefix("cifar10-")
    return f"{attack}, {format_attack(row)}; h: `{h}`, T = {float(row['temperature']):g}; {images} images."


def interpolate_highest(points: list[tuple[float, float]], at: float) -> float | None:
    """The highest ordinate at `at` of the line through these points."""
    found = [
        max(left_y, right_y) if left == right else left_y + (right_y - left_y) * (at - left) / (right - left)
        for (left, left_y), (right, right_y) in pairwise(points)
        if min(left, right) <= at <= max(left, right)
    ]
    return max(found, default=None)


def format_optional(value: float | None, digits: int = 1) -> str:
    """The number, or a dash if there is none."""
    return "-" if value is None else f"{value:.{digits}f}"
