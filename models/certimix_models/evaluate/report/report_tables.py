"""The tables of docs/results.md and of the model card, each from a CSV file of docs/results. Needs
Python only.
"""

from collections.abc import Callable
from statistics import median

from certimix_models.evaluate.report import published_curves
from certimix_models.evaluate.report.gated_tables import GATED_TABLES
from certimix_models.evaluate.report.table_format import (
    NORMS,
    Row,
    Table,
    caption_of,
    format_attack,
    format_number,
    format_optional,
    group_by_column,
    interpolate_highest,
    read_rows,
)
from certimix_models.repository import BUNDLED_MODELS

ATTACKS = ["clean", "STD", "ROB", "MIX", "worst"]


AUTOATTACK = ["apgd-ce", "apgd-t", "fab-t", "square"]


RADII = [0, 0.14, 0.25, 0.5, 0.75]  # for Fig. 3; 0.14 is just under 36/255


CLEAN_LEVELS = [88, 85, 80, 75, 70]


MEASURED_BY_THE_AUTHORS = ATTACKS[:-1]


def alpha_table(name: str) -> Table:
    """Our curve, and the authors' curve at the same alphas."""
    rows = read_rows(name)
    found = {(row["attack"], float(row["alpha"])): row for row in rows}
    paper, body = published_curves.load_curves(rows[0]["norm"]), []
    for value in sorted({weight for attack, weight in found if attack == "MIX"}):
        ours = [format_number(found[attack, value]["accuracy"]) for attack in ATTACKS]
        theirs = [
            published_curves.interpolate(paper[attack], published_curves.gamma_of(value))
            for attack in MEASURED_BY_THE_AUTHORS
        ]
        body.append([f"{value:g}", *ours, *map(format_optional, theirs)])
    caption = (
        caption_of(rows[0], rows[0]["images"])
        + f" The authors: {published_curves.AUTHORS_MODELS[rows[0]['norm']]}, {published_curves.AUTHORS_IMAGES} images."
    )
    return Table(["alpha", *ATTACKS, *(f"authors' {attack}" for attack in MEASURED_BY_THE_AUTHORS)], body, caption)


def margins_table(name: str) -> Table:
    """The mean margins."""
    head = ["model", "images", "answers", "count", "mean margin", "95 % interval", "median"]
    rows = read_rows(name)
    body = [
        [
            row["model"] + (f", alpha {row['alpha']}" if row["model"] == "mixture" else ""),
            row["images"],
            row["answers"],
            row["count"],
        ]
        + [
            format_number(row["mean_margin"], 3),
            f"{format_number(row['low'], 3)} to {format_number(row['high'], 3)}" if row["low"] else "-",
        ]
        + [format_number(row["median_margin"], 3)]
        for row in rows
    ]
    images = sum(int(row["count"]) for row in rows if (row["model"], row["images"]) == ("mixture", "clean"))
    return Table(head, body, caption_of(rows[0], images, "PGD-20 on the model itself"))


def curves_table(name: str) -> Table:
    """The attacked accuracy at given clean accuracies, on the straight lines between the measured
    settings.
    """
    rows = read_rows(name)
    body = [
        [f"`{curve}`", *(format_optional(interpolate_highest(points, level)) for level in CLEAN_LEVELS)]
        for curve, points in measured_curves(rows).items()
    ]
    head = ["curve", *(f"at {level} % clean" for level in CLEAN_LEVELS)]
    return Table(head, body, caption_of(rows[0], rows[0]["images"], "Worst of three attacks of PGD-20"))


def measured_curves(rows: list[Row]) -> dict[str, list[tuple[float, float]]]:
    """For each curve: clean and attacked accuracy, from g alone to the largest weight of h."""
    found = {}
    for curve, settings in group_by_column(rows, "curve").items():
        settings.sort(key=lambda row: float(row["strength"]))
        found[curve] = [(float(row["clean_accuracy"]), float(row["attacked_accuracy"])) for row in settings]
    return found


def authors_comparison_table(_: str) -> Table:
    """How much of h's attacked accuracy remains where the mixture has regained a share of the clean
    accuracy that h lacks.
    """
    head, columns, uncertainties = ["curve"], [], []
    for norm in ("linf", "l2"):
        rows, ratio = read_rows(f"choice-of-r-{norm}"), read_rows(f"authors-ratio-{norm}")
        if caption_of(rows[0], rows[0]["images"]) != caption_of(ratio[0], ratio[0]["images"]):
            raise SystemExit(f"choice-of-r-{norm}.csv and authors-ratio-{norm}.csv have different settings")
        ours = measured_curves(rows) | measured_curves(ratio)
        theirs = {curve: points for curve in ours if (points := published_curves.attacked_against_clean(norm, curve))}
        half = max(float(row["attacked_high"]) - float(row["attacked_low"]) for row in rows) / 2
        uncertainties.append(f"{100 * half / ours['one-probabilities'][-1][1]:.0f} ({NORMS[norm]})")
        for label, share in (("half", 0.5), ("a quarter", 0.25)):
            for author, found in (("ours", ours), ("the authors'", theirs)):
                head.append(f"{NORMS[norm]}, {label}: {author}")
                columns.append(
                    {curve: retained_accuracy(found[curve], found["one-probabilities"], share) for curve in theirs}
                )
    caption = f"In per cent of the attacked accuracy of h alone. Ours are of {rows[0]['images']} images, each uncertain by up to ± {' and '.join(uncertainties)}."
    names = {
        curve: "ratio of the largest, probabilities" if curve == "ratio-probabilities" else f"`{curve}`"
        for curve in columns[0]
    }
    return Table(
        head, [[names[curve], *(format_optional(column[curve], 0) for column in columns)] for curve in names], caption
    )


def retained_accuracy(
    points: list[tuple[float, float]], whole: list[tuple[float, float]], share: float
) -> float | None:
    """In per cent of h's own. `whole` is the curve of R = 1 on probabilities, which goes from g
    alone to h alone.
    """
    (clean_g, _), (clean_h, attacked_h) = whole[0], whole[-1]
    attacked = interpolate_highest(points, clean_h + share * (clean_g - clean_h))
    return None if attacked is None else 100 * attacked / attacked_h


def certified_table(name: str) -> Table:
    """One line for each classifier. For each sigma, the published ones, which have no interval,
    come last.
    """
    costs = multiply_adds()
    lines: dict[tuple[str, ...], dict[float, str]] = {}
    for row in sorted(read_rows(name), key=lambda row: (float(row["sigma"]), not row["low_95"])):
        interval = (
            f" ({format_number(row['low_95'], 3)} to {format_number(row['high_95'], 3)})" if row["low_95"] else ""
        )
        line = (row["classifier"], row["sigma"], costs[row["classifier"]], row["votes_per_image"])
        shares = lines.setdefault(line, {})
        shares[float(row["radius"])] = format_number(row["share"], 3) + interval
    radii = sorted({radius for shares in lines.values() for radius in shares})
    body = [[*line, *(shares.get(at, "-") for at in radii)] for line, shares in lines.items()]
    return Table(
        ["classifier", "sigma", "multiply-adds per vote", "votes per image", *(f"r = {at:g}" for at in radii)], body
    )


def certificate_attacks_table(name: str) -> Table:
    """How many certificates were attacked and broken, and how close the attacks came."""
    body = []
    for method, rows in group_by_column(read_rows(name), "method").items():
        radius = median(float(row["radius"]) for row in rows)
        if found := [
            float(row["worst_case_smallest"]) / float(row["radius"]) for row in rows if row.get("worst_case_smallest")
        ]:
            closest = f"smallest perturbation found: {min(found):.2f} times the radius, median {median(found):.2f}"
        else:
            needed = max(float(row["needed"]) for row in rows)
            closest = (
                f"smallest margin of h found: {min(float(row['margin']) for row in rows):.3f}, needed {needed:.3f}"
            )
            for multiple in ("3", "6"):
                margins_beyond = [float(row[f"margin_at_{multiple}"]) for row in rows if row[f"margin_at_{multiple}"]]
                below = sum(margin < needed for margin in margins_beyond)
                closest += f"; at {multiple} times the radius below it for {below} of {len(margins_beyond)}"
        broken = sum(float(row["broken"]) != 0 for row in rows)
        body.append(
            [
                method,
                rows[0]["alpha"],
                rows[0].get("fallback_alpha") or "alpha",
                f"{float(rows[0]['temperature']):g}",
                str(len(rows)),
                f"{radius:.3f}",
                closest,
                str(broken),
            ]
        )
    head = ["certificate", "alpha", "fallback", "T", "attacked", "median radius", "closest attack", "broken"]
    return Table(head, body)


def autoattack_table(name: str) -> Table:
    """For each mixture, the accuracy under all attacks, and what broke the other images."""
    body = []
    for row in read_rows(name):
        broken_by = {attack: row[attack] for attack in (*AUTOATTACK, "transfer") if row[attack] != "0"}
        shares = [
            f"{format_number(row[f'{kind}_accuracy'])} ({format_number(row[f'{kind}_low'])} to {format_number(row[f'{kind}_high'])})"
            if row[f"{kind}_accuracy"]
            else "-"
            for kind in ("clean", "pgd", "attacked", "certified")
        ]
        attacks_that_broke = ", ".join(f"{attack} {count}" for attack, count in broken_by.items())
        broken = row["broken_certificates"] if row["certified_accuracy"] else "-"
        body.append(
            [
                format_attack(row),
                f"{float(row['temperature']):g}",
                row["alpha"],
                row["images"],
                *shares,
                attacks_that_broke,
                broken,
            ]
        )
    head = [
        "attack",
        "T",
        "alpha",
        "images",
        "clean %",
        "PGD-20 %",
        "attacked %",
        "certified %",
        "broken by",
        "certificates broken",
    ]
    return Table(head, body)


def certified_curves_table(name: str) -> Table:
    """The share of images certified at some radii, and what it would be if the shares of votes were
    probabilities. A curve that was not measured that far has no number there.
    """
    lines: dict[tuple[str, ...], dict[float, str]] = {}
    for row in read_rows(name):
        setting = (
            row["robust"],
            ", ".join([row["certificate"], *(["gated"] if row["rule"] == "gated" else [])]),
            row["alpha"],
            row["robust_temperature"],
            row["clean_accuracy"],
            row["images"],
        )
        shares = [
            f"{100 * int(row[column]) / int(row['images']):.1f}" for column in ("certified", "by_shares") if row[column]
        ]
        lines.setdefault(setting, {})[float(row["radius"])] = " / ".join(shares)
    body = [
        [
            robust,
            certificate,
            alpha,
            temperature,
            f"{100 * float(clean):.1f}",
            images,
            *(shares.get(at, "-") for at in RADII),
        ]
        for (robust, certificate, alpha, temperature, clean, images), shares in lines.items()
    ]
    return Table(
        ["h", "certificate", "alpha", "T", "clean %", "images", *(f"certified %, r = {at:g}" for at in RADII)], body
    )


def accuracy_table(name: str) -> Table:
    """One line for each model: its accuracies, the size of its file, and the cost of an image."""
    body, costs = [], multiply_adds()
    for model, rows in sorted(group_by_column(read_rows(name), "model").items()):
        shares = [f"{row['measure']} **{100 * int(row['right']) / int(row['images']):.2f} %**" for row in rows]
        body.append(
            [
                f"`{model}`",
                f"{(BUNDLED_MODELS / f'{model}.onnx').stat().st_size / 1e6:.1f} MB",
                costs[model],
                ", ".join(shares),
            ]
        )
    return Table(["model", "file", "multiply-adds per image", "of 10,000 test images"], body)


def multiply_adds() -> dict[str, str]:
    """Multiply-adds of each network for one image."""
    return {row["model"]: f"{int(row['multiply_adds']) / 1e6:.1f} M" for row in read_rows("cost")}


def robust_model_table(name: str) -> Table:
    """The robust models without a mixture, under attack."""
    body = [
        [
            f"`{row['robust'].removeprefix('cifar10-')}`, T = {row['temperature']}",
            f"{row['images_of']}, {format_attack(row)}",
            row["images"],
        ]
        + [f"{format_number(row['accuracy'], 2)} ({format_number(row['low'], 2)} to {format_number(row['high'], 2)})"]
        for row in read_rows(name)
        if row["images_of"] != "all, clean"
    ]
    return Table(["model", "attack", "test images", "right %"], body)


TABLES: dict[str, Callable[[str], Table]] = {
    "alpha-linf": alpha_table,
    "alpha-l2": alpha_table,
    "alpha-linf-sharp": alpha_table,
    "margins-linf": margins_table,
    "margins-l2": margins_table,
    "choice-of-r-linf": curves_table,
    "choice-of-r-l2": curves_table,
    "choice-of-r-authors": authors_comparison_table,
    "smoothing-linf": curves_table,
    "smoothing-l2": curves_table,
    "accuracy": accuracy_table,
    "alone": robust_model_table,
    "certified": certified_table,
    "fig3": certified_curves_table,
    "autoattack": autoattack_table,
    "inside_radius": certificate_attacks_table,
    "inside_radius_nearest": certificate_attacks_table,
    "inside_radius_gated": certificate_attacks_table,
} | GATED_TABLES
