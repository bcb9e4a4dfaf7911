"""The tables of docs/results.md about gated mixtures. Needs Python only."""

from collections.abc import Callable

from certimix_models.evaluate.report.table_format import Row, Table, read_rows

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


GATED_TABLES: dict[str, Callable[[str], Table]] = {
    "setting": lambda _: setting_table("0.1412"),
    "setting-half": lambda _: setting_table("0.5"),
}
