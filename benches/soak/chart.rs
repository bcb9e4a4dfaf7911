//! The time series of a run as SVG.

use anyhow::anyhow;
use plotters::prelude::*;

use crate::report::Sample;

const WIDTH: u32 = 900;
const PANEL_HEIGHT: u32 = 200;
/// The room above the largest value of a panel.
const HEADROOM: f64 = 1.1;

/// A figure of a sample, and the colour of its points.
type Series = (fn(&Sample) -> f64, RGBColor);

/// One panel.
struct Panel {
    title: &'static str,
    series: &'static [Series],
    /// The quiet phases alone.
    quiet_only: bool,
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "resident memory in MiB, all samples and quiet phases",
        series: &[(|sample| sample.resident_mib, BLUE)],
        quiet_only: false,
    },
    Panel {
        title: "resident memory in MiB, quiet phases only",
        series: &[(|sample| sample.resident_mib, BLUE)],
        quiet_only: true,
    },
    Panel {
        title: "threads (red) and file descriptors (blue), quiet phases only",
        series: &[
            (|sample| sample.threads as f64, RED),
            (|sample| sample.descriptors as f64, BLUE),
        ],
        quiet_only: true,
    },
    Panel {
        title: "honest Predict in ms: p50 (blue) and p99 (red)",
        series: &[(|sample| sample.p99_ms, RED), (|sample| sample.p50_ms, BLUE)],
        quiet_only: false,
    },
];

/// Draws the samples over minutes.
pub fn render(samples: &[Sample]) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let height = PANEL_HEIGHT * u32::try_from(PANELS.len())?;
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
        for (panel, area) in PANELS.iter().zip(area.split_evenly((PANELS.len(), 1))) {
            draw_panel(panel, samples, &area).map_err(|error| anyhow!("{error}"))?;
        }
        area.present().map_err(|error| anyhow!("{error}"))?;
    }
    Ok(svg + "\n")
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_panel<'a>(
    panel: &Panel,
    samples: &[Sample],
    area: &Area<'a>,
) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
    let shown: Vec<&Sample> = samples
        .iter()
        .filter(|sample| sample.quiet || !panel.quiet_only)
        .collect();
    let minutes = |sample: &Sample| sample.at / 60.0;
    let values = || {
        shown
            .iter()
            .flat_map(|sample| panel.series.iter().map(|(value, _)| value(sample)))
    };
    let most = values().reduce(|left, right| if right > left { right } else { left });
    let most = most.filter(|most| *most > 0.0).unwrap_or(1.0) * HEADROOM;
    let end = samples.last().map_or(1.0, minutes);
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 13))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..most)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .y_labels(5)
        .x_desc("minutes")
        .label_style(("sans-serif", 11))
        .draw()?;
    for (value, colour) in panel.series {
        let points = shown.iter().map(|sample| (minutes(sample), value(sample)));
        if panel.quiet_only {
            chart.draw_series(points.map(|point| Circle::new(point, 2, colour.filled())))?;
        } else {
            chart.draw_series(LineSeries::new(points, colour))?;
        }
    }
    Ok(())
}
