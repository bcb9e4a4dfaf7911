"""The figure of `autoattack`, drawn from its CSV file."""

from pathlib import Path

from certimix_models.evaluate import plotting
from certimix_models.evaluate.plotting import pyplot

TITLES = {"linf": r"adversarial $h$, $\ell_\infty$ %.4g/255", "l2": r"Lipschitz $h$, $\ell_2$ %.4g/255"}
ACCURACY_KINDS = {
    "clean": ("clean", "tab:blue", "o"),
    "attacked": ("attacked", "tab:red", "s"),
    "certified": ("certified at that radius", "tab:green", "^"),
}


def draw_figure(rows: list[dict], path: Path) -> None:
    norms = list(dict.fromkeys(row["norm"] for row in rows))
    figure, axes = pyplot.subplots(
        1, len(norms), figsize=(5.2 * len(norms), 4.0), squeeze=False, sharey=True, layout="constrained"
    )
    for panel, norm in zip(axes[0], norms, strict=True):
        norm_rows = [row for row in rows if row["norm"] == norm]
        for name, (label, colour, marker) in ACCURACY_KINDS.items():
            points = [row for row in norm_rows if row[f"{name}_accuracy"] != ""]
            if not points:
                continue
            accuracies = [row[f"{name}_accuracy"] for row in points]
            lower_errors = [row[f"{name}_accuracy"] - row[f"{name}_low"] for row in points]
            upper_errors = [row[f"{name}_high"] - row[f"{name}_accuracy"] for row in points]
            alphas = [row["alpha"] for row in points]
            panel.errorbar(
                alphas,
                accuracies,
                yerr=[lower_errors, upper_errors],
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=1,
                capsize=2,
                label=label,
            )
        title = TITLES[norm] % (255 * norm_rows[0]["epsilon"]) + f", {norm_rows[0]['images']:g} images"
        panel.set_title(f"{title}\nattacked by {attack_description(norm_rows[0])}", fontsize=10)
        panel.set_xlabel(r"$\alpha$, the weight of $h$")
        panel.set_ylim(-2, 102)
        panel.grid(alpha=0.3)
    axes[0][0].set_ylabel("accuracy (%), with 95 % intervals")
    handles = {handle.get_label(): handle for panel in axes[0] for handle in panel.get_legend_handles_labels()[0]}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=len(handles), fontsize=8)
    plotting.save_figure(figure, path)


def attack_description(row: dict) -> str:
    return "the whole of AutoAttack" if "FAB" in row["attack"] else "APGD-CE, APGD-T and Square, with fewer steps"
