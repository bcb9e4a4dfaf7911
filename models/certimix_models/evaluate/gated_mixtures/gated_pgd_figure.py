"""The figure of `gated-pgd`, drawn from its CSV file."""

from pathlib import Path

from certimix_models.evaluate import plotting
from certimix_models.evaluate.gated_mixtures.setting_figure import describe_radius

LABELS = {"none": "clean", "all": "worst of all"}


def draw_figure(rows: list[dict], path: Path) -> None:
    figure, panels = plotting.two_panels()
    for panel, epsilon in zip(panels, dict.fromkeys(row["epsilon"] for row in rows), strict=True):
        for k, rule in enumerate(("paper", "gated")):
            of_rule = [row for row in rows if (row["rule"], row["epsilon"]) == (rule, epsilon)]
            panel.barh(
                [position + 0.4 * k for position in range(len(of_rule))],
                [row["accuracy"] for row in of_rule],
                height=0.38,
                xerr=[
                    [row["accuracy"] - row["low"] for row in of_rule],
                    [row["high"] - row["accuracy"] for row in of_rule],
                ],
                color=plotting.COLOURS[k],
                error_kw={"linewidth": 0.8, "capsize": 2},
                label=f"{rule}: alpha {of_rule[0]['alpha']:g}, T {of_rule[0]['robust_temperature']:g}",
            )
            panel.set_yticks(
                [position + 0.2 for position in range(len(of_rule))],
                [LABELS.get(row["attack"], row["attack"]) for row in of_rule],
            )
        panel.set(xlabel="right (%), with 95 % intervals", xlim=(0, 100))
        panel.set_title(
            f"PGD-{rows[0]['steps']:g}, l2, radius {describe_radius(epsilon)}; {rows[0]['images']:g} images", fontsize=9
        )
        panel.grid(alpha=0.3, axis="x")
    panels[0].invert_yaxis()
    panels[1].legend(fontsize=8, loc="lower right")
    plotting.save_figure(figure, path)
