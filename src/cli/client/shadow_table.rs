//! The report about shadow alphas as a table.

use std::time::{Duration, UNIX_EPOCH};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use super::summary::short_revision;
use crate::rpc::proto::{GetShadowReportResponse, ShadowRow};

/// One bar a bucket.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What stands above the table: since when, over what, and what to know before reading it.
pub(super) fn header(report: &GetShadowReportResponse) -> Vec<String> {
    let serving = report.serving.clone().unwrap_or_default();
    let since = UNIX_EPOCH + Duration::from_millis(report.since_unix_ms);
    let mut lines = vec![format!(
        "{} inputs since {} · config {}",
        serving.inputs,
        humantime::format_rfc3339_seconds(since),
        short_revision(&report.since_revision),
    )];
    if serving.inputs == 0 {
        lines.push("no traffic yet: the counts grow with every answered Predict and Certify".to_owned());
    }
    if report.on_the_way {
        lines.push(
            "alpha is on its way (mixture.alpha_ramp): compared with whatever served; counts begin anew when it arrives"
                .to_owned(),
        );
    }
    if report.dropped > 0 {
        lines.push(format!(
            "{} more inputs were not judged: the server was too busy for statistics",
            report.dropped
        ));
    }
    lines
}

/// A row for each alpha, in the order of alpha; the one that serves stands out.
pub(super) fn table(report: &GetShadowReportResponse) -> Table {
    let serving = report.serving.clone().unwrap_or_default();
    let mut rows: Vec<(bool, &ShadowRow)> = report.candidates.iter().map(|row| (false, row)).collect();
    let place = rows.partition_point(|(_, row)| row.alpha < serving.alpha);
    rows.insert(place, (true, &serving));
    let span = span(rows.iter().map(|(_, row)| *row));

    let mut titles = vec![
        "alpha",
        "inputs",
        "same",
        "as g",
        "certified",
        "change",
        "median",
        "radii",
    ];
    if report.draws_votes {
        titles.push("votes");
    }
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(
        titles
            .iter()
            .map(|title| Cell::new(title).add_attribute(Attribute::Bold)),
    );
    for (serves, row) in rows {
        let mut texts = vec![
            if serves {
                format!("{:.4} ◀", row.alpha)
            } else {
                row.alpha.to_string()
            },
            row.inputs.to_string(),
            share(row.agreements, row.inputs),
            share(row.standard_agreements, row.inputs),
            certified(row),
            if serves {
                "serving".to_owned()
            } else {
                change(row, &serving)
            },
            median(&row.radii, &report.radius_bounds),
            span.map(|span| bars(&row.radii, span)).unwrap_or_default(),
        ];
        if report.draws_votes {
            texts.push(mean_votes(row));
        }
        table.add_row(texts.into_iter().enumerate().map(|(column, text)| {
            let cell = Cell::new(text);
            match (serves, column) {
                (true, _) => cell.fg(Color::Cyan).add_attribute(Attribute::Bold),
                (false, _) => cell,
            }
        }));
    }
    for column in (0..titles.len()).filter(|&column| titles[column] != "radii") {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn points(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", points(part, whole))
}

fn certified(row: &ShadowRow) -> String {
    if row.alpha < 0.5 {
        return "never".to_owned();
    }
    // At most what is open, and at most all.
    let more = row.open.min(row.inputs.saturating_sub(row.certified));
    let share = share(row.certified, row.inputs);
    if row.inputs == 0 || more == 0 {
        return share;
    }
    format!("{share} +{:.1}?", points(more, row.inputs))
}

fn change(row: &ShadowRow, serving: &ShadowRow) -> String {
    if row.inputs == 0 {
        return "-".to_owned();
    }
    let points = points(row.certified, row.inputs) - points(serving.certified, serving.inputs.max(1));
    format!("{points:+.1} (+{} −{})", row.gained, row.lost)
}

/// The lower edge of the bucket of the upper of the two in the middle: half of the radii are at least that.
fn median(radii: &[u64], bounds: &[f64]) -> String {
    let all: u64 = radii.iter().sum();
    if all == 0 {
        return "-".to_owned();
    }
    let mut above = 0;
    for (bucket, count) in radii.iter().enumerate().rev() {
        above += count;
        if 2 * above >= all {
            let edge = bucket.checked_sub(1).and_then(|below| bounds.get(below));
            return edge.map_or_else(|| "> 0".to_owned(), |edge| format!("≥ {edge}"));
        }
    }
    "-".to_owned()
}

/// The first and the last bucket that any row has filled.
fn span<'a>(rows: impl Iterator<Item = &'a ShadowRow>) -> Option<(usize, usize)> {
    let filled = rows.flat_map(|row| {
        row.radii
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(bucket, _)| bucket)
    });
    filled.fold(None, |span, bucket| match span {
        None => Some((bucket, bucket)),
        Some((first, last)) => Some((first.min(bucket), last.max(bucket))),
    })
}

/// Each bucket against the fullest of its own row.
fn bars(radii: &[u64], (first, last): (usize, usize)) -> String {
    let most = radii.iter().copied().max().unwrap_or(0);
    let bar = |&count: &u64| match count {
        0 => ' ',
        count => {
            // From the lowest bar for any at all to the highest for the most.
            let step = (u128::from(count) * 8)
                .div_ceil(u128::from(most.max(1)))
                .saturating_sub(1);
            usize::try_from(step)
                .ok()
                .and_then(|step| BARS.get(step))
                .copied()
                .unwrap_or('█')
        }
    };
    radii.get(first..=last).unwrap_or_default().iter().map(bar).collect()
}

fn mean_votes(row: &ShadowRow) -> String {
    let sign = if row.open > 0 { "≥ " } else { "" };
    match row.inputs {
        0 => "-".to_owned(),
        inputs => format!("{sign}{:.0}", points(row.votes, inputs) / 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(alpha: f64, certified: u64) -> ShadowRow {
        ShadowRow {
            alpha,
            inputs: 200,
            agreements: 199,
            certified,
            radii: vec![0, certified / 4, certified, 0],
            ..Default::default()
        }
    }

    fn report() -> GetShadowReportResponse {
        GetShadowReportResponse {
            serving: Some(row(0.76, 100)),
            candidates: vec![row(0.6, 80), row(0.9, 150)],
            radius_bounds: vec![0.1, 0.2, 0.5],
            ..Default::default()
        }
    }

    #[test]
    fn the_serving_row_stands_among_the_candidates() {
        let text = table(&report()).force_no_tty().to_string();
        let place = |text_of: &str| text.find(text_of).unwrap_or(usize::MAX);
        assert!(
            place("0.6 ") < place("0.7600 ◀") && place("0.7600 ◀") < place("0.9 "),
            "{text}"
        );
        assert!(
            text.contains("+25.0") && text.contains("-10.0") && text.contains("99.5 %"),
            "{text}"
        );
        assert!(!text.contains("votes"), "{text}");
    }

    #[test]
    fn what_is_open_is_told_and_no_more_than_all() {
        let mut row = row(0.9, 150);
        assert_eq!(certified(&row), "75.0 %");
        row.open = 20;
        assert_eq!(certified(&row), "75.0 % +10.0?");
        row.open = 180;
        assert_eq!(certified(&row), "75.0 % +25.0?");
        row.alpha = 0.4;
        assert_eq!(certified(&row), "never");
    }

    #[test]
    fn a_median_is_not_overstated() {
        let bounds = [0.1, 0.2, 0.5];
        assert_eq!(median(&[0, 0, 0, 0], &bounds), "-");
        assert_eq!(median(&[9, 0, 0, 0], &bounds), "> 0");
        assert_eq!(median(&[5, 1, 4, 1], &bounds), "≥ 0.1");
        assert_eq!(median(&[5, 0, 4, 1], &bounds), "≥ 0.2");
        assert_eq!(median(&[0, 0, 0, 3], &bounds), "≥ 0.5");
    }

    #[test]
    fn bars_show_the_buckets_in_sight() {
        let rows = [row(0.6, 80), row(0.9, 8)];
        let span = span(rows.iter());
        assert_eq!(span, Some((1, 2)));
        assert_eq!(bars(&rows[0].radii, (1, 2)), "▂█");
        assert_eq!(bars(&[0, 1, 1_000_000, 0], (0, 3)), " ▁█ ");
    }

    #[test]
    fn without_traffic_there_is_a_word_about_it() {
        let quiet = GetShadowReportResponse {
            serving: Some(ShadowRow::default()),
            dropped: 3,
            on_the_way: true,
            ..Default::default()
        };
        let lines = header(&quiet).join("\n");
        assert!(
            lines.contains("no traffic yet") && lines.contains("3 more") && lines.contains("alpha_ramp"),
            "{lines}"
        );
        assert!(table(&quiet).force_no_tty().to_string().contains('-'));
    }
}
