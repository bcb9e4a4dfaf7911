//! The report as a table: one row for each mixture.

use std::time::{Duration, UNIX_EPOCH};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use super::row_text::{
    certified_change, certified_share, fallback_alpha, filled_buckets, histogram, likely_share, mean_votes,
    median_radius, share, short_number,
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
            "the weights are ramping (mixture.alpha_ramp): candidates are compared with the mixture of each moment; the \
             counts restart at the end of the ramp"
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

/// The target radius that Predict uses with each mixture, if the cap makes them differ.
fn target_line(report: &GetShadowReportResponse) -> Option<String> {
    let rows = || report.serving.iter().chain(&report.candidates);
    let certifying = || rows().filter(|row| row.predict_target_in_force > 0.0);
    let largest = certifying().map(|row| row.predict_target_in_force).reduce(f64::max)?;
    let capped: Vec<String> = certifying()
        .filter(|row| row.predict_target_in_force < largest)
        .map(|row| {
            let target = target_text(row.predict_target_in_force);
            format!("{target} at {}", short_number(row.alpha))
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

/// The columns that a narrow terminal leaves out, the first ones first. The others always appear.
const OPTIONAL_COLUMNS: [&str; 8] = [
    "votes", "inputs", "gained", "lost", "radii", "change", "median", "likely",
];

/// A row for each mixture, in ascending order of alpha, `fallback_alpha` and temperature. The row of
/// the served mixture is highlighted. Columns are left out until the table fits `width`.
pub(super) fn report_table(report: &GetShadowReportResponse, width: usize) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_content_arrangement(ContentArrangement::Dynamic);
    let rows = sorted_rows(report);
    let columns = fitting_columns(columns(report, &rows), width);
    table.set_header(
        columns
            .iter()
            .map(|column| Cell::new(column.title).add_attribute(Attribute::Bold)),
    );
    for (index, (is_serving, _)) in rows.iter().enumerate() {
        let texts = columns.iter().map(|column| Cell::new(&column.texts[index]));
        let highlight = |cell: Cell| cell.fg(Color::Cyan).add_attribute(Attribute::Bold);
        table.add_row(texts.map(|cell| if *is_serving { highlight(cell) } else { cell }));
    }
    for (index, column) in columns.iter().enumerate() {
        if column.title != "radii"
            && let Some(column) = table.column_mut(index)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The candidates with the serving row among them. `true` marks the serving row.
fn sorted_rows(report: &GetShadowReportResponse) -> Vec<(bool, ShadowRow)> {
    let mixture = |row: &ShadowRow| [row.alpha, fallback_alpha(row), row.robust_temperature];
    let serving = report.serving.clone().unwrap_or_default();
    let mut rows: Vec<_> = report.candidates.iter().map(|row| (false, row.clone())).collect();
    let position = rows.partition_point(|(_, row)| mixture(row) < mixture(&serving));
    rows.insert(position, (true, serving));
    rows
}

/// One column: its title, and a text for each row.
struct Column {
    title: &'static str,
    texts: Vec<String>,
}

impl Column {
    /// The characters of the widest text. Each takes one column of the terminal.
    fn width(&self) -> usize {
        let widths = self.texts.iter().map(|text| text.chars().count());
        widths.fold(self.title.chars().count(), usize::max)
    }
}

/// Every column that `report` has. `fallback` appears if any mixture has a smaller weight below the
/// margin, `T` if the temperatures differ, and `likely` and `votes` for a smoothed model.
fn columns(report: &GetShadowReportResponse, rows: &[(bool, ShadowRow)]) -> Vec<Column> {
    let serving = report.serving.clone().unwrap_or_default();
    let bucket_range = filled_buckets(rows.iter().map(|(_, row)| row));
    let is_gated = rows.iter().any(|(_, row)| fallback_alpha(row) < row.alpha);
    let has_temperatures = rows
        .iter()
        .any(|(_, row)| row.robust_temperature.to_bits() != serving.robust_temperature.to_bits());
    let column = |title: &'static str, text: &dyn Fn(&ShadowRow) -> String| Column {
        title,
        texts: rows.iter().map(|(_, row)| text(row)).collect(),
    };
    // Of the serving row, nothing has changed, and nothing is gained or lost.
    let against_serving = |title: &'static str, text: &dyn Fn(&ShadowRow) -> String| Column {
        title,
        texts: rows
            .iter()
            .map(|(is_serving, row)| if *is_serving { "-".to_owned() } else { text(row) })
            .collect(),
    };
    let alphas = rows.iter().map(|(is_serving, row)| {
        let mark = if *is_serving { " ◀" } else { "" };
        format!("{}{mark}", short_number(row.alpha))
    });
    let all = [
        Some(Column {
            title: "alpha",
            texts: alphas.collect(),
        }),
        is_gated.then(|| column("fallback", &|row| short_number(fallback_alpha(row)))),
        has_temperatures.then(|| column("T", &|row| short_number(row.robust_temperature))),
        Some(column("inputs", &|row| row.inputs.to_string())),
        Some(column("same", &|row| share(row.agreements, row.inputs))),
        Some(column("as g", &|row| share(row.standard_agreements, row.inputs))),
        Some(column("certified", &certified_share)),
        report.draws_votes.then(|| column("likely", &likely_share)),
        Some(against_serving("change", &|row| certified_change(row, &serving))),
        Some(against_serving("gained", &|row| row.gained.to_string())),
        Some(against_serving("lost", &|row| row.lost.to_string())),
        Some(column("median", &|row| {
            median_radius(&row.radii, &report.radius_bounds)
        })),
        Some(column("radii", &|row| {
            bucket_range.map_or_else(String::new, |range| histogram(&row.radii, range))
        })),
        report.draws_votes.then(|| column("votes", &mean_votes)),
    ];
    all.into_iter().flatten().collect()
}

/// Leaves out columns until the table has at most `width` columns of the terminal.
fn fitting_columns(mut columns: Vec<Column>, width: usize) -> Vec<Column> {
    // Each column has a space on both sides and a line on its left; the last line is on the right.
    let table_width = |columns: &[Column]| 1 + columns.iter().map(|column| column.width() + 3).sum::<usize>();
    for left_out in OPTIONAL_COLUMNS {
        if table_width(&columns) <= width {
            break;
        }
        columns.retain(|column| column.title != left_out);
    }
    columns
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
        let text = report_table(&report, 120).force_no_tty().to_string();
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
        // Every mixture is the paper's, at one temperature.
        assert!(!text.contains("fallback") && !text.contains(" T "), "{text}");
    }

    /// A report whose candidates differ in every part of the mixture.
    fn report_of_mixtures(draws_votes: bool) -> GetShadowReportResponse {
        let of = |alpha, fallback_alpha, robust_temperature| ShadowRow {
            fallback_alpha: Some(fallback_alpha),
            robust_temperature,
            radii: vec![9; 23],
            open: 3,
            gained: 120,
            ..row(alpha, 150)
        };
        GetShadowReportResponse {
            serving: Some(of(0.76, 0.0, 1.0)),
            candidates: vec![of(0.76, 0.0, 0.25), of(0.76, 0.5, 1.0), of(0.9876, 0.9876, 12.5)],
            radius_bounds: (1..=22).map(|bound| f64::from(bound) / 1000.0).collect(),
            draws_votes,
            ..Default::default()
        }
    }

    #[test]
    fn a_row_stands_at_its_whole_mixture() {
        let rows = sorted_rows(&report_of_mixtures(false));
        let mixtures: Vec<_> = rows
            .iter()
            .map(|(is_serving, row)| (*is_serving, row.alpha, fallback_alpha(row), row.robust_temperature))
            .collect();
        assert_eq!(
            mixtures,
            [
                (false, 0.76, 0.0, 0.25),
                (true, 0.76, 0.0, 1.0),
                (false, 0.76, 0.5, 1.0),
                (false, 0.9876, 0.9876, 12.5),
            ]
        );
    }

    #[test]
    fn a_table_fits_the_terminal_and_keeps_the_mixture() {
        for draws_votes in [false, true] {
            let report = report_of_mixtures(draws_votes);
            let rows = sorted_rows(&report);
            let all = columns(&report, &rows);
            let every_title: Vec<_> = all.iter().map(|column| column.title).collect();
            assert_eq!(every_title.contains(&"votes"), draws_votes);
            for width in [60, 80, 100, 120, 160] {
                let fitting = fitting_columns(columns(&report, &rows), width);
                let titles: Vec<_> = fitting.iter().map(|column| column.title).collect();
                assert_eq!(titles[..3], ["alpha", "fallback", "T"]);
                assert!(titles.contains(&"certified") && titles.contains(&"as g"), "{titles:?}");
                let used = 1 + fitting.iter().map(|column| column.width() + 3).sum::<usize>();
                assert!(used <= width, "{used} of {width}: {titles:?}");
            }
            assert_eq!(fitting_columns(all, usize::MAX).len(), every_title.len());
        }
    }

    #[test]
    fn the_table_is_as_wide_as_its_columns_are_counted() {
        let report = report_of_mixtures(true);
        let text = report_table(&report, 300).force_no_tty().to_string();
        let all = columns(&report, &sorted_rows(&report));
        let counted = 1 + all.iter().map(|column| column.width() + 3).sum::<usize>();
        // No column is left out at this width.
        assert!(
            text.lines().all(|line| line.chars().count() == counted),
            "{counted}:\n{text}"
        );
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
        assert!(report_table(&quiet, 80).force_no_tty().to_string().contains('-'));
    }
}
