"""The figure of `inside_radius.py`, drawn from its CSV file."""

from pathlib import Path

import figures
import numpy as np
from figures import pyplot


def draw(rows: list[dict], path: Path) -> None:
    lipschitz = [row for row in rows if row["method"] == "logit_lipschitz"]
    smoothed = [row for row in rows if row["method"] != "logit_lipschitz"]
    parts = [(draw_lipschitz, lipschitz)] * bool(lipschitz) + [(draw_smoothed, smoothed)] * bool(smoothed)
    figure, axes = pyplot.subplots(1, len(parts), figsize=(5.2 * len(parts), 5.2), squeeze=False, layout="constrained")
    for axis, (draw_part, chosen) in zip(axes[0], parts, strict=True):
        draw_part(axis, chosen)
        axis.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14))  # below: points are everywhere inside
    figures.save(figure, path)


def draw_lipschitz(axis, rows: list[dict]) -> None:
    radius = np.array([row["radius"] for row in rows])
    for name, words, marker in (("mixture", "changes the mixture's answer", "^"), ("worst_case", "would, with the worst $g$", "o")):
        found = np.array([row[f"{name}_smallest"] for row in rows])
        axis.scatter(radius, found, s=10, marker=marker, alpha=0.6, linewidths=0, label=f"smallest found that {words}")
    end = 1.05 * radius.max()
    axis.plot([0, end], [0, end], color="black", linewidth=1, label="the certificate")
    axis.set_xlim(0, end)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(r"certified radius ($\ell_2$, pixels in [0, 1])")
    axis.set_ylabel(r"perturbation ($\ell_2$, pixels in [0, 1])")
    axis.set_title(f"Lipschitz $h$: {int(sum(row['broken'] for row in rows))} of {len(rows)} broken")


def draw_smoothed(axis, rows: list[dict]) -> None:
    radius = np.array([row["radius"] for row in rows])
    axis.scatter(radius, [row["clean_margin"] for row in rows], s=10, marker="^", alpha=0.6, linewidths=0, label="at the image")
    inside = np.array([row["margin"] for row in rows])
    axis.scatter(radius, inside, s=10, marker="o", alpha=0.6, linewidths=0, label="at the adversarial image inside the radius")
    multiples = sorted(float(name.removeprefix("margin_at_")) for name in rows[0] if name.startswith("margin_at_"))
    if multiples:
        multiple = multiples[-1]
        pairs = [(row["radius"], row[f"margin_at_{multiple:g}"]) for row in rows if row[f"margin_at_{multiple:g}"] != ""]
        if pairs:
            axis.scatter(*zip(*pairs, strict=True), s=10, marker="x", linewidths=0.8, label=f"same attack at {multiple:g} times the radius")
    needed = rows[0]["needed"]
    axis.axhline(needed, color="black", linewidth=1, label=rf"needed: $\mu$ = {needed:.3f}")
    axis.set_xlim(0, 1.05 * radius.max())
    axis.set_xlabel(r"certified radius ($\ell_2$, pixels in [0, 1])")
    axis.set_ylabel(r"margin $h_y - h_i$ (share of votes)")
    axis.set_title(f"smoothed $h$: {int(sum(row['broken'] for row in rows))} of {len(rows)} broken\n(votes stop at a target radius)")
