"""The tables of docs/results.md about gated mixtures. Needs Python only."""

from collections.abc import Callable

from certimix_models.evaluate.report.table_format import (
    Row,
    Table,
    format_attack,
    format_number,
    group_by_column,
    read_rows,
)

RADII = {"0": "r > 0", "0.1412": "36/255", "0.25": "0.25", "0.5": "0.5"}  # the columns certified_*


def setting_table(radius: str) -> Table:
    """The settings chosen for a radius, a line for each level of clean accuracy: the paper's rule
    and the gated one.
    """
    rows = {
        (row["level"], row["rule"]): row for row in read_rows("setting") if row["radius"] == radius
    }  # in the order of the file
    body = []
    for level in dict.fromkeys(level for level, _ in rows):
        paper, gated, best = (rows[level, rule] for rule in ("paper", "gated", "any fallback"))
        settings = [f"{row['alpha']}, {row['robust_temperature']}" for row in (paper, gated)]
        shares = [f"{share(paper, name)} / {share(gated, name)}" for name in ["clean", *map(certified, RADII)]]
        means = [
            " / ".join(f"{float(row[f'{name}_mean']):.1f}" for row in (paper, gated, best))
            for name in ("clean", certified(radius))
        ]
        body.append([f"{100 * float(level):g}", *settings, *shares, *means])
    head = ["clean at least", "paper: alpha, T", "gated: alpha, T", "clean %", *RADII.values()]
    head += ["mean clean %", f"mean {RADII[radius]}"]
    first = next(iter(rows.values()))
    half = max(
        (float(row[f"{certified(radius)}_high"]) - float(row[f"{certified(radius)}_low"])) / 2 for row in rows.values()
    )
    caption = (
        f"Chosen for the radius {RADII[radius]} on one half of the test images. The paper's rule / gated with fallback 0, in per "
        f"cent of the other {first['images']} images, each 95 % interval at most ± {half:.1f} points. Last two columns: means "
        f"of {first['splits']} random splits, and third the gated mixture with the best fallback."
    )
    return Table(head, body, caption)


def certified(radius: str) -> str:
    """The column of the images that are right and certified at a radius."""
    return f"certified_{radius}"


def share(row: Row, name: str) -> str:
    """The share of the reported images, in per cent."""
    return f"{100 * int(row[name]) / int(row['images']):.1f}"


def class_thresholds_table(name: str) -> Table:
    """What a threshold for each class wins, a line for each level of clean accuracy."""
    rows = read_rows(name)
    body = [
        [
            f"{100 * float(row['level']):g}",
            *(format_number(row[f"{rule}_{kind}"]) for kind in ("clean", "certified") for rule in ("single", "class")),
            # adding 0 makes a negative zero positive
            *(
                f"{round(float(row[gain]), 1) + 0:+.1f} ± {float(row[f'{gain}_deviation']):.1f}"
                for gain in ("gain", "gain_chosen")
            ),
        ]
        for row in rows
    ]
    head = [
        "clean at least",
        "clean %: one for all",
        "one for each class",
        "certified %: one for all",
        "one for each class",
    ]
    head += ["points won at equal clean accuracy", "on the half that chose"]
    caption = f"Radius 36/255; means and standard deviations of {rows[0]['splits']} random splits."
    return Table(head, body, caption)


def gated_pgd_table(name: str) -> Table:
    """Both mixtures under each attack, a line for each radius and rule."""
    rows, body = read_rows(name), []
    attacks = list(dict.fromkeys(row["attack"] for row in rows))
    for of_epsilon in group_by_column(rows, "epsilon").values():
        for of_rule in group_by_column(of_epsilon, "rule").values():
            found = {row["attack"]: row for row in of_rule}
            shares = [
                share_with_interval(found[attack])
                if attack in ("all", "certified")
                else format_number(found[attack]["accuracy"])
                for attack in attacks
            ]
            first = of_rule[0]
            body.append([radius_of(first), *setting_of(first), *shares, found["all"]["broken_certificates"]])
    head = ["radius", "rule", "alpha", "T", *("clean" if attack == "none" else attack for attack in attacks)]
    caption = f"PGD-{rows[0]['steps']} in l2, {rows[0]['images']} test images that chose no setting; right answers in per cent."
    return Table([*head, "certificates broken"], body, caption)


def gated_autoattack_table(name: str) -> Table:
    """Both mixtures under AutoAttack."""
    rows = read_rows(name)
    body = [
        [
            radius_of(row),
            *setting_of(row),
            row["images"],
            *(share_with_interval(row, f"{kind}_") for kind in ("clean", "attacked", "certified")),
            row["broken_by"],
            row["broken_certificates"],
        ]
        for row in rows
    ]
    head = ["radius", "rule", "alpha", "T", "images", "clean %", "attacked %", "certified %", "broken by"]
    return Table([*head, "certificates broken"], body)


def setting_of(row: Row) -> list[str]:
    """The cells of a mixture's setting."""
    rule = f"gated, fallback {float(row['fallback_alpha']):g}" if row["rule"] == "gated" else row["rule"]
    return [rule, row["alpha"], row["robust_temperature"]]


def radius_of(row: Row) -> str:
    """The radius of the attack, in l2."""
    return format_attack(row | {"norm": "l2"}).removeprefix("l2, ")


def share_with_interval(row: Row, prefix: str = "") -> str:
    """An accuracy with its interval, in per cent."""
    accuracy, low, high = (format_number(row[f"{prefix}{name}"]) for name in ("accuracy", "low", "high"))
    return f"{accuracy} ({low} to {high})"


GATED_TABLES: dict[str, Callable[[str], Table]] = {
    "setting": lambda _: setting_table("0.1412"),
    "setting-half": lambda _: setting_table("0.5"),
    "class_thresholds": class_thresholds_table,
    "gated_pgd": gated_pgd_table,
    "gated_autoattack": gated_autoattack_table,
}
