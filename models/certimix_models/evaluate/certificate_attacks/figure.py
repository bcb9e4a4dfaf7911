"""The figure of `attack-certificates`, drawn from its CSV file."""

from pathlib import Path

import numpy as np

from certimix_models.evaluate import plotting
from certimix_models.evaluate.plotting import pyplot


def draw_figure(rows: list[dict], path: Path) -> None:
    lipschitz = [row for row in rows if row["method"] == "logit_lipschitz"]
    smoothed = [row for row in rows if row["method"] != "logit_lipschitz"]
    panels = [(draw_lipschitz, lipschitz)] * bool(lipschitz) + [(draw_smoothed, smoothed)] * bool(smoothed)
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(5.2 * len(panels), 5.2), squeeze=False, layout="constrained"
    )
    for panel, (draw_panel, family_rows) in zip(axes[0], panels, strict=True):
        draw_panel(panel, family_rows)
        # below: there are points everywhere inside
        panel.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    plotting.save_figure(figure, path)


def draw_lipschitz(panel, rows: list[dict]) -> None:
    radius = np.array([row["radius"] for row in rows])
    for name, effect, marker in (
        ("mixture", "changes the mixture's answer", "^"),
        ("worst_case", "would, with the worst $g$", "o"),
    ):
        perturbations = np.array([row[f"{name}_smallest"] for row in rows])
        panel.scatter(
            radius, perturbations, s=10, marker=marker, alpha=0.6, linewidths=0, label=f"smallest found that {effect}"
        )
    limit = 1.05 * radius.max()
    panel.plot([0, limit], [0, limit], color="black", linewidth=1, label="the certificate")
    panel.set_xlim(0, limit)
    panel.set_ylim(bottom=0)
    panel.set_xlabel(r"certified radius ($\ell_2$, pixels in [0, 1])")
    panel.set_ylabel(r"perturbation ($\ell_2$, pixels in [0, 1])")
    panel.set_title(f"Lipschitz $h$: {int(sum(row['broken'] for row in rows))} of {len(rows)} broken")


def draw_smoothed(panel, rows: list[dict]) -> None:
    radius = np.array([row["radius"] for row in rows])
    panel.scatter(
        radius, [row["clean_margin"] for row in rows], s=10, marker="^", alpha=0.6, linewidths=0, label="at the image"
    )
    adversarial_margins = np.array([row["margin"] for row in rows])
    panel.scatter(
        radius,
        adversarial_margins,
        s=10,
        marker="o",
        alpha=0.6,
        linewidths=0,
        label="at the adversarial image inside the radius",
    )
    multiples = sorted(float(name.removeprefix("margin_at_")) for name in rows[0] if name.startswith("margin_at_"))
    if multiples:
        multiple = multiples[-1]
        pairs = [
            (row["radius"], row[f"margin_at_{multiple:g}"]) for row in rows if row[f"margin_at_{multiple:g}"] != ""
        ]
        if pairs:
            panel.scatter(
                *zip(*pairs, strict=True),
                s=10,
                marker="x",
                linewidths=0.8,
                label=f"same attack at {multiple:g} times the radius",
            )
    required = rows[0]["needed"]
    panel.axhline(required, color="black", linewidth=1, label=rf"needed: $\mu$ = {required:.3f}")
    panel.set_xlim(0, 1.05 * radius.max())
    panel.set_xlabel(r"certified radius ($\ell_2$, pixels in [0, 1])")
    panel.set_ylabel(r"margin $h_y - h_i$ (share of votes)")
    panel.set_title(
        f"smoothed $h$: {int(sum(row['broken'] for row in rows))} of {len(rows)} broken\n(votes stop at a target radius)"
    )
