//! The report as a table: one row for each alpha.

use std::time::{Duration, UNIX_EPOCH};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use super::row_text::{
    alpha_text, certified_change, certified_share, filled_buckets, histogram, likely_share, mean_votes, median_radius,
    share,
};
use crate::cli::client::info::target_text;
use crate::cli::client::results::short_revision;
use crate::rpc::proto::{GetShadowReportResponse, ShadowRow};

/// The lines above the table: the period, the number of inputs, and warnings.
pub(super) fn header_lines(report: &GetShadowReportResponse) -> Vec<String> {
    let serving = report.serving.clone().unwrap_or_default();
    let since = UNIX_EPOCH + Duration::from_millis(report.since_unix_ms);
    let mut lines = vec![format!(
        "{} inputs since {} · config {}",
        serving.inputs,
        humantime::format_rfc3339_seconds(since),
        short_revision(&report.since_revision),
    )];
    if serving.inputs == 0 {
        lines.push("no traffic yet: every answered Predict and Certify adds to the counts".to_owned());
    }
    if report.on_the_way {
        lines.push(
            "alpha is ramping (mixture.alpha_ramp): candidates are compared with the alpha of each moment; the counts \
             restart at the end of the ramp"
                .to_owned(),
        );
    }
    lines.extend(target_line(report));
    if report.dropped > 0 {
        lines.push(format!(
            "{} more inputs were not evaluated: the server was too busy for statistics",
            report.dropped
        ));
    }
    lines
}

/// The target radius that Predict uses with each alpha, if the cap makes them differ.
fn target_line(report: &GetShadowReportResponse) -> Option<String> {
    let rows = || report.serving.iter().chain(&report.candidates);
    let certifying = || rows().filter(|row| row.predict_target_in_force > 0.0);
    let largest = certifying().map(|row| row.predict_target_in_force).reduce(f64::max)?;
    let capped: Vec<String> = certifying()
        .filter(|row| row.predict_target_in_force < largest)
        .map(|row| {
            let target = target_text(row.predict_target_in_force);
            format!("{target} at {}", alpha_text(row.alpha))
        })
        .collect();
    (!capped.is_empty()).then(|| {
        format!(
            "Predict's target radius is {}, capped at {}",
            target_text(largest),
            capped.join(", ")
        )
    })
}

/// A terminal with this many columns shows the whole table.
const WIDE_TERMINAL: u16 = 120;

/// A row for each alpha, in ascending order. The row of the served alpha is highlighted.
pub(super) fn report_table(report: &GetShadowReportResponse) -> Table {
    let serving = report.serving.clone().unwrap_or_default();
    let mut rows: Vec<(bool, &ShadowRow)> = report.candidates.iter().map(|row| (false, row)).collect();
    let position = rows.partition_point(|(_, row)| row.alpha < serving.alpha);
    rows.insert(position, (true, &serving));

    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    let layout = ColumnLayout {
        is_wide: table.width().is_none_or(|width| width >= WIDE_TERMINAL),
        draws_votes: report.draws_votes,
        radius_bounds: &report.radius_bounds,
        bucket_range: filled_buckets(rows.iter().map(|(_, row)| *row)),
        serving: &serving,
    };
    let titles: Vec<&str> = layout.cells(&serving).into_iter().map(|(title, _)| title).collect();
    table.set_header(
        titles
            .iter()
            .map(|title| Cell::new(title).add_attribute(Attribute::Bold)),
    );
    for (is_serving, row) in rows {
        let cells = layout
            .cells(row)
            .into_iter()
            .map(|(title, text)| match (is_serving, title) {
                (true, "alpha") => Cell::new(format!("{text} ◀")),
                (true, "change" | "gained" | "lost") => Cell::new("-"),
                _ => Cell::new(text),
            });
        let highlight = |cell: Cell| cell.fg(Color::Cyan).add_attribute(Attribute::Bold);
        table.add_row(cells.map(|cell| if is_serving { highlight(cell) } else { cell }));
    }
    for column in (0..titles.len()).filter(|&column| titles[column] != "radii") {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The properties of the report and the terminal that decide which columns appear.
struct ColumnLayout<'a> {
    is_wide: bool,
    draws_votes: bool,
    radius_bounds: &'a [f64],
    bucket_range: Option<(usize, usize)>,
    serving: &'a ShadowRow,
}

impl ColumnLayout<'_> {
    /// The title and the text of each visible column for `row`.
    fn cells(&self, row: &ShadowRow) -> Vec<(&'static str, String)> {
        let (is_wide, draws_votes) = (self.is_wide, self.draws_votes);
        let bars = self.bucket_range.map(|range| histogram(&row.radii, range));
        let all = [
            (true, "alpha", alpha_text(row.alpha)),
            (is_wide, "inputs", row.inputs.to_string()),
            (true, "same", share(row.agreements, row.inputs)),
            (true, "as g", share(row.standard_agreements, row.inputs)),
            (true, "certified", certified_share(row)),
            (draws_votes, "likely", likely_share(row)),
            (true, "change", certified_change(row, self.serving)),
            (is_wide, "gained", row.gained.to_string()),
            (is_wide, "lost", row.lost.to_string()),
            (true, "median", median_radius(&row.radii, self.radius_bounds)),
            (true, "radii", bars.unwrap_or_default()),
            (is_wide && draws_votes, "votes", mean_votes(row)),
        ];
        let visible = all.into_iter().filter(|(is_visible, ..)| *is_visible);
        visible.map(|(_, title, text)| (title, text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::shadow::row_text::tests::row;

    #[test]
    fn the_serving_row_stands_among_the_candidates() {
        let report = GetShadowReportResponse {
            serving: Some(row(0.76, 100)),
            candidates: vec![row(0.6, 80), row(0.9, 150)],
            radius_bounds: vec![0.1, 0.2, 0.5],
            ..Default::default()
        };
        let text = report_table(&report).force_no_tty().to_string();
        let position = |text_of: &str| text.find(text_of).unwrap_or(usize::MAX);
        assert!(
            position("0.6 ") < position("0.76 ◀") && position("0.76 ◀") < position("0.9 "),
            "{text}"
        );
        assert!(
            text.contains("+25.0") && text.contains("-10.0") && text.contains("99.5 %"),
            "{text}"
        );
        assert!(!text.contains("votes"), "{text}");
    }

    #[test]
    fn the_header_names_the_alphas_with_a_capped_target() {
        let with_target = |alpha, target| ShadowRow {
            predict_target_in_force: target,
            ..row(alpha, 100)
        };
        let report = GetShadowReportResponse {
            serving: Some(with_target(0.76, 0.1412)),
            candidates: vec![with_target(0.4, 0.0), with_target(0.6, 0.1), with_target(0.9, 0.1412)],
            ..Default::default()
        };
        let lines = header_lines(&report).join("\n");
        assert!(
            lines.contains("target radius is 0.1412, capped at 0.1000 at 0.6"),
            "{lines}"
        );
        assert_eq!(target_line(&GetShadowReportResponse::default()), None);
    }

    #[test]
    fn the_header_reports_missing_traffic_dropped_inputs_and_a_ramp() {
        let quiet = GetShadowReportResponse {
            serving: Some(ShadowRow::default()),
            dropped: 3,
            on_the_way: true,
            ..Default::default()
        };
        let lines = header_lines(&quiet).join("\n");
        assert!(
            lines.contains("no traffic yet") && lines.contains("3 more") && lines.contains("alpha_ramp"),
            "{lines}"
        );
        assert!(report_table(&quiet).force_no_tty().to_string().contains('-'));
    }
}
