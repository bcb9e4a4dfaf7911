"""The figure of `class-thresholds`, drawn from its CSV file."""

from pathlib import Path

from certimix_models.evaluate import plotting


def draw_figure(rows: list[dict], path: Path) -> None:
    figure, axes = plotting.single_panel()
    for colour, (name, label) in zip(
        plotting.COLOURS,
        {"gain": "on the other half", "gain_chosen": "on the half that chose (no measurement)"}.items(),
    ):
        axes.errorbar(
            [100 * row["level"] for row in rows],
            [row[name] for row in rows],
            yerr=[row[f"{name}_deviation"] for row in rows],
            color=colour,
            label=label,
            marker=".",
            capsize=2,
            linewidth=1.2,
        )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.axhline(1, color="black", linewidth=0.8, linestyle=":", label="worth a setting: 1 point")
    axes.set(xlabel="clean accuracy at least (%)", ylabel="points won at 36/255, at equal clean accuracy")
    axes.set_title(
        f"a threshold for each class against one for all\nmean and deviation of {rows[0]['splits']:g} random splits",
        fontsize=9,
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    plotting.save_figure(figure, path)
