"""The figure of `autoattack.py`, drawn from its CSV file."""

from pathlib import Path

import figures
from figures import pyplot

TITLES = {"linf": r"adversarial $h$, $\ell_\infty$ %.4g/255", "l2": r"Lipschitz $h$, $\ell_2$ %.4g/255"}
LINES = {
    "clean": ("clean", "tab:blue", "o"),
    "attacked": ("attacked", "tab:red", "s"),
    "certified": ("certified at that radius", "tab:green", "^"),
}


def draw(rows: list[dict], path: Path) -> None:
    norms = list(dict.fromkeys(row["norm"] for row in rows))
    figure, axes = pyplot.subplots(1, len(norms), figsize=(5.2 * len(norms), 4.0), squeeze=False, sharey=True, layout="constrained")
    for axis, norm in zip(axes[0], norms, strict=True):
        chosen = [row for row in rows if row["norm"] == norm]
        for name, (words, colour, marker) in LINES.items():
            points = [row for row in chosen if row[f"{name}_accuracy"] != ""]
            if not points:
                continue
            middle = [row[f"{name}_accuracy"] for row in points]
            down = [row[f"{name}_accuracy"] - row[f"{name}_low"] for row in points]
            up = [row[f"{name}_high"] - row[f"{name}_accuracy"] for row in points]
            alphas = [row["alpha"] for row in points]
            axis.errorbar(alphas, middle, yerr=[down, up], color=colour, marker=marker, markersize=4, linewidth=1, capsize=2, label=words)
        of = TITLES[norm] % (255 * chosen[0]["epsilon"]) + f", {chosen[0]['images']:g} images"
        axis.set_title(f"{of}\nattacked by {attacks(chosen[0])}", fontsize=10)
        axis.set_xlabel(r"$\alpha$, the weight of $h$")
        axis.set_ylim(-2, 102)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("accuracy (%), with 95 % intervals")
    handles = {handle.get_label(): handle for axis in axes[0] for handle in axis.get_legend_handles_labels()[0]}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=len(handles), fontsize=8)
    figures.save(figure, path)


def attacks(row: dict) -> str:
    return "the whole of AutoAttack" if "FAB" in row["attack"] else "APGD-CE, APGD-T and Square, with fewer steps"
