"""The figure of `choose-setting`, drawn from its CSV file: certified against clean accuracy, for
each radius and rule.
"""

from pathlib import Path

from certimix_models.evaluate import plotting

LABELS = {"paper": "the paper's rule", "gated": "gated, fallback_alpha 0", "any fallback": "gated, best fallback_alpha"}


def draw_figure(rows: list[dict], path: Path) -> None:
    figure, panels = plotting.two_panels(same_axes=False)
    radii = list(dict.fromkeys(row["radius"] for row in rows))
    for panel, radius in zip(panels, radii, strict=True):
        name = f"certified_{radius:g}"
        for colour, (rule, label) in zip(plotting.COLOURS, LABELS.items()):
            points = [
                {"clean": 100 * row["clean"] / row["images"], "accuracy": 100 * row[name] / row["images"]}
                | {"low": row[f"{name}_low"], "high": row[f"{name}_high"]}
                for row in rows
                if (row["radius"], row["rule"]) == (radius, rule)
            ]
            plotting.plot_accuracy_curve(panel, points, "clean", label, colour, dashed=rule == "any fallback")
        panel.set(xlabel="clean accuracy (%)", ylabel=f"right and certified at {describe_radius(radius)} (%)")
        panel.set_ylim(bottom=0)
        panel.set_title(
            f"settings chosen for the radius {describe_radius(radius)}\n"
            f"on the other half of the images; {rows[0]['images']:g} images",
            fontsize=9,
        )
    panels[0].legend(fontsize=8, loc="lower left")
    plotting.save_figure(figure, path)


def describe_radius(radius: float) -> str:
    """The radius as a fraction of levels where it is one."""
    levels = round(255 * radius)
    return f"{levels}/255" if abs(255 * radius - levels) < 0.05 else f"{radius:g}"
