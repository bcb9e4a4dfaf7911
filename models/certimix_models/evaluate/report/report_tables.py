"""The tables of docs/results.md and of the model card, each from a CSV file of docs/results. Python's own library is all it needs."""

import csv
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple

import paper_curves

REPOSITORY = Path(__file__).resolve().parents[3]
BUNDLED = REPOSITORY / "models" / "cifar10"
RESULTS = REPOSITORY / "docs" / "results"
ATTACKS = ["clean", "STD", "ROB", "MIX", "worst"]
AUTOATTACK = ["apgd-ce", "apgd-t", "fab-t", "square"]
NORMS = {"linf": "l-infinity", "l2": "l2"}
RADII = [0, 0.14, 0.25, 0.5, 0.75]  # of Fig. 3; 0.14 is just under 36/255
CLEAN_LEVELS = [88, 85, 80, 75, 70]
MEASURED_BY_THE_AUTHORS = ATTACKS[:-1]


class Table(NamedTuple):
    head: list[str]
    body: list[list[str]]
    caption: str = ""

    def markdown(self) -> str:
        lines = [self.head, ["---"] * len(self.head), *self.body]
        caption = f"{self.caption}\n\n" if self.caption else ""
        return caption + "".join(f"| {' | '.join(line)} |\n" for line in lines)


Row = dict[str, str]


def read(name: str) -> list[Row]:
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def by_column(rows: list[Row], column: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row)
    return found


def number(text: str, digits: int = 1) -> str:
    return f"{float(text):.{digits}f}" if text else "-"


def threat(row: Row) -> str:
    """The attack's norm and radius; pixels in [0, 1]."""
    epsilon = float(row["epsilon"])
    in_levels = round(255 * epsilon)
    radius = f"{in_levels}/255" if abs(255 * epsilon - in_levels) < 1e-3 else f"{epsilon:g}"
    return f"{NORMS[row['norm']]}, {radius}"


def described(row: Row, images: int | str, attack: str = "PGD-20") -> str:
    h = row["robust"].removeprefix("cifar10-")
    return f"{attack}, {threat(row)}; h: `{h}`, T = {float(row['temperature']):g}; {images} images."


def alpha(name: str) -> Table:
    """Ours, and beside it the authors' curve at the same alphas."""
    rows = read(name)
    found = {(row["attack"], float(row["alpha"])): row for row in rows}
    paper, body = paper_curves.load(rows[0]["norm"]), []
    for value in sorted({weight for attack, weight in found if attack == "MIX"}):
        ours = [number(found[attack, value]["accuracy"]) for attack in ATTACKS]
        theirs = [paper_curves.at(paper[attack], paper_curves.gamma_of(value)) for attack in MEASURED_BY_THE_AUTHORS]
        body.append([f"{value:g}", *ours, *map(shown, theirs)])
    caption = described(rows[0], rows[0]["images"]) + f" The authors: {paper_curves.MODELS[rows[0]['norm']]}, {paper_curves.IMAGES} images."
    return Table(["alpha", *ATTACKS, *(f"authors' {attack}" for attack in MEASURED_BY_THE_AUTHORS)], body, caption)


def margins(name: str) -> Table:
    head = ["model", "images", "answers", "how many", "mean margin", "95 % interval", "median"]
    rows = read(name)
    body = [
        [row["model"] + (f", alpha {row['alpha']}" if row["model"] == "mixture" else ""), row["images"], row["answers"], row["count"]]
        + [number(row["mean_margin"], 3), f"{number(row['low'], 3)} to {number(row['high'], 3)}" if row["low"] else "-"]
        + [number(row["median_margin"], 3)]
        for row in rows
    ]
    images = sum(int(row["count"]) for row in rows if (row["model"], row["images"]) == ("mixture", "clean"))
    return Table(head, body, described(rows[0], images, "PGD-20 on the model itself"))


def curves(name: str) -> Table:
    """The attacked accuracy at given clean accuracies, on the straight lines between the settings that were measured."""
    rows = read(name)
    body = [[f"`{curve}`", *(shown(on_the_line(points, level)) for level in CLEAN_LEVELS)] for curve, points in measured(rows).items()]
    head = ["curve", *(f"at {level} % clean" for level in CLEAN_LEVELS)]
    return Table(head, body, described(rows[0], rows[0]["images"], "Worst of three attacks of PGD-20"))


def measured(rows: list[Row]) -> dict[str, list[tuple[float, float]]]:
    """Of each curve: clean and attacked accuracy, from g alone to the most of h."""
    found = {}
    for curve, settings in by_column(rows, "curve").items():
        settings.sort(key=lambda row: float(row["strength"]))
        found[curve] = [(float(row["clean_accuracy"]), float(row["attacked_accuracy"])) for row in settings]
    return found


def curves_beside_the_authors(_: str) -> Table:
    """What is left of h's attacked accuracy where the mixture has won back a share of the clean accuracy that h lacks."""
    head, columns, uncertain = ["curve"], [], []
    for norm in ("linf", "l2"):
        rows, ratio = read(f"choice-of-r-{norm}"), read(f"authors-ratio-{norm}")
        if described(rows[0], rows[0]["images"]) != described(ratio[0], ratio[0]["images"]):
            raise SystemExit(f"choice-of-r-{norm}.csv and authors-ratio-{norm}.csv are not of the same settings")
        ours = measured(rows) | measured(ratio)
        theirs = {curve: points for curve in ours if (points := paper_curves.attacked_against_clean(norm, curve))}
        half = max(float(row["attacked_high"]) - float(row["attacked_low"]) for row in rows) / 2
        uncertain.append(f"{100 * half / ours['one-probabilities'][-1][1]:.0f} ({NORMS[norm]})")
        for words, share in (("half", 0.5), ("a quarter", 0.25)):
            for whose, found in (("ours", ours), ("the authors'", theirs)):
                head.append(f"{NORMS[norm]}, {words}: {whose}")
                columns.append({curve: kept(found[curve], found["one-probabilities"], share) for curve in theirs})
    caption = f"In per cent of what h keeps by itself. Ours are of {rows[0]['images']} images, each uncertain by up to ± {' and '.join(uncertain)}."
    names = {curve: "ratio of the largest, probabilities" if curve == "ratio-probabilities" else f"`{curve}`" for curve in columns[0]}
    return Table(head, [[names[curve], *(shown(column[curve], 0) for column in columns)] for curve in names], caption)


def kept(points: list[tuple[float, float]], whole: list[tuple[float, float]], share: float) -> float | None:
    """In per cent of h's own; `whole` is the curve of R = 1 on probabilities, which goes from g alone to h alone."""
    (clean_g, _), (clean_h, attacked_h) = whole[0], whole[-1]
    attacked = on_the_line(points, clean_h + share * (clean_g - clean_h))
    return None if attacked is None else 100 * attacked / attacked_h


def on_the_line(points: list[tuple[float, float]], at: float) -> float | None:
    """The highest ordinate of the line through these points there."""
    found = [
        max(left_y, right_y) if left == right else left_y + (right_y - left_y) * (at - left) / (right - left)
        for (left, left_y), (right, right_y) in pairwise(points)
        if min(left, right) <= at <= max(left, right)
    ]
    return max(found, default=None)


def shown(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def certified(name: str) -> Table:
    """One line a classifier; the published ones, which have no interval, last of their sigma."""
    costs = cost()
    lines: dict[tuple[str, ...], dict[float, str]] = {}
    for row in sorted(read(name), key=lambda row: (float(row["sigma"]), not row["low_95"])):
        interval = f" ({number(row['low_95'], 3)} to {number(row['high_95'], 3)})" if row["low_95"] else ""
        line = (row["classifier"], row["sigma"], costs[row["classifier"]], row["votes_per_image"])
        shares = lines.setdefault(line, {})
        shares[float(row["radius"])] = number(row["share"], 3) + interval
    radii = sorted({radius for shares in lines.values() for radius in shares})
    body = [[*line, *(shares.get(at, "-") for at in radii)] for line, shares in lines.items()]
    return Table(["classifier", "sigma", "multiply-adds a vote", "votes an image", *(f"r = {at:g}" for at in radii)], body)


def inside(name: str) -> Table:
    """How many certificates were attacked and broken, and how near the attacks came."""
    body = []
    for method, rows in by_column(read(name), "method").items():
        radius = median(float(row["radius"]) for row in rows)
        if found := [float(row["worst_case_smallest"]) / float(row["radius"]) for row in rows if row.get("worst_case_smallest")]:
            near = f"smallest perturbation found: {min(found):.2f} times the radius, median {median(found):.2f}"
        else:
            needed = max(float(row["needed"]) for row in rows)
            near = f"least margin of h found: {min(float(row['margin']) for row in rows):.3f}, needed {needed:.3f}"
            for multiple in ("3", "6"):
                beyond = [float(row[f"margin_at_{multiple}"]) for row in rows if row[f"margin_at_{multiple}"]]
                below = sum(margin < needed for margin in beyond)
                near += f"; the same attack at {multiple} times the radius: below it for {below} of {len(beyond)}"
        broken = sum(float(row["broken"]) != 0 for row in rows)
        body.append([method, rows[0]["alpha"], f"{float(rows[0]['temperature']):g}", str(len(rows)), f"{radius:.3f}", near, str(broken)])
    return Table(["certificate", "alpha", "T", "attacked", "median radius", "how near the attacks came", "broken"], body)


def autoattack(name: str) -> Table:
    """Of each mixture, what is left under all attacks, and what broke the rest."""
    body = []
    for row in read(name):
        broken_by = {attack: row[attack] for attack in (*AUTOATTACK, "transfer") if row[attack] != "0"}
        shares = [
            f"{number(row[f'{kind}_accuracy'])} ({number(row[f'{kind}_low'])} to {number(row[f'{kind}_high'])})"
            if row[f"{kind}_accuracy"]
            else "-"
            for kind in ("clean", "pgd", "attacked", "certified")
        ]
        by = ", ".join(f"{attack} {count}" for attack, count in broken_by.items())
        broken = row["broken_certificates"] if row["certified_accuracy"] else "-"
        body.append([threat(row), f"{float(row['temperature']):g}", row["alpha"], row["images"], *shares, by, broken])
    head = ["attack", "T", "alpha", "images", "clean %", "PGD-20 %", "attacked %", "certified %", "broken by", "certificates broken"]
    return Table(head, body)


def certified_curves(name: str) -> Table:
    """The share of images certified at some radii, and had the shares of votes been probabilities; a curve that was not measured so
    far has no number there."""
    lines: dict[tuple[str, ...], dict[float, str]] = {}
    for row in read(name):
        setting = (row["robust"], row["certificate"], row["alpha"], row["robust_temperature"], row["clean_accuracy"], row["images"])
        shares = [f"{100 * int(row[column]) / int(row['images']):.1f}" for column in ("certified", "by_shares") if row[column]]
        lines.setdefault(setting, {})[float(row["radius"])] = " / ".join(shares)
    body = [
        [robust, certificate, alpha, temperature, f"{100 * float(clean):.1f}", images, *(shares.get(at, "-") for at in RADII)]
        for (robust, certificate, alpha, temperature, clean, images), shares in lines.items()
    ]
    return Table(["h", "certificate", "alpha", "T", "clean %", "images", *(f"certified %, r = {at:g}" for at in RADII)], body)


def accuracy(name: str) -> Table:
    """One line a model; each of its figures with its own name. And the size of its file, and what an image costs."""
    body, costs = [], cost()
    for model, rows in sorted(by_column(read(name), "model").items()):
        shares = [f"{row['measure']} **{100 * int(row['right']) / int(row['images']):.2f} %**" for row in rows]
        body.append([f"`{model}`", f"{(BUNDLED / f'{model}.onnx').stat().st_size / 1e6:.1f} MB", costs[model], ", ".join(shares)])
    return Table(["model", "file", "multiply-adds an image", "of 10,000 test images"], body)


def cost() -> dict[str, str]:
    """Multiply-adds of each network for one image."""
    return {row["model"]: f"{int(row['multiply_adds']) / 1e6:.1f} M" for row in read("cost")}


def alone(name: str) -> Table:
    body = [
        [f"`{row['robust'].removeprefix('cifar10-')}`, T = {row['temperature']}", f"{row['images_of']}, {threat(row)}", row["images"]]
        + [f"{number(row['accuracy'], 2)} ({number(row['low'], 2)} to {number(row['high'], 2)})"]
        for row in read(name)
        if row["images_of"] != "all, clean"
    ]
    return Table(["model", "attack", "test images", "right %"], body)


TABLES: dict[str, Callable[[str], Table]] = {
    "alpha-linf": alpha,
    "alpha-l2": alpha,
    "alpha-linf-sharp": alpha,
    "margins-linf": margins,
    "margins-l2": margins,
    "choice-of-r-linf": curves,
    "choice-of-r-l2": curves,
    "choice-of-r-authors": curves_beside_the_authors,
    "smoothing-linf": curves,
    "smoothing-l2": curves,
    "accuracy": accuracy,
    "alone": alone,
    "certified": certified,
    "fig3": certified_curves,
    "autoattack": autoattack,
    "inside_radius": inside,
    "inside_radius_nearest": inside,
}
