"""The figure of `gated-autoattack`, drawn from its CSV file."""

from pathlib import Path

from certimix_models.evaluate import plotting
from certimix_models.evaluate.gated_mixtures.setting_figure import describe_radius

KINDS = ("clean", "attacked", "certified")


def draw_figure(rows: list[dict], path: Path) -> None:
    figure, axes = plotting.single_panel()
    for k, row in enumerate(rows):
        shares = [row[f"{kind}_accuracy"] for kind in KINDS]
        errors = [
            [share - row[f"{kind}_low"] for share, kind in zip(shares, KINDS)],
            [row[f"{kind}_high"] - share for share, kind in zip(shares, KINDS)],
        ]
        axes.bar(
            [position + 0.4 * k for position in range(len(KINDS))],
            shares,
            width=0.38,
            yerr=errors,
            color=plotting.COLOURS[k],
            error_kw={"linewidth": 0.8, "capsize": 2},
            label=f"{row['rule']}: alpha {row['alpha']:g}, T {row['robust_temperature']:g}",
        )
    axes.set_xticks([position + 0.2 for position in range(len(KINDS))], KINDS)
    axes.set(ylabel="right (%), with 95 % intervals", ylim=(0, 100))
    axes.set_title(
        f"AutoAttack (APGD-CE, APGD-T, Square, with fewer steps), l2, radius {describe_radius(rows[0]['epsilon'])};"
        f" {rows[0]['images']:g} images",
        fontsize=9,
    )
    axes.grid(alpha=0.3, axis="y")
    axes.legend(fontsize=8)
    plotting.save_figure(figure, path)
