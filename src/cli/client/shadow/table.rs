//! The report about shadow alphas as a table.

use std::time::{Duration, UNIX_EPOCH};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use crate::cli::client::results::summary::short_revision;
use crate::rpc::proto::{GetShadowReportResponse, ShadowRow};

/// One bar a bucket.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What stands above the table: since when, over what, and what to know before reading it.
pub(crate) fn header(report: &GetShadowReportResponse) -> Vec<String> {
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

/// From so many columns of letters on every column fits.
const WIDE: u16 = 120;

/// A row for each alpha, in the order of alpha; the one that serves stands out.
pub(crate) fn table(report: &GetShadowReportResponse) -> Table {
    let serving = report.serving.clone().unwrap_or_default();
    let mut rows: Vec<(bool, &ShadowRow)> = report.candidates.iter().map(|row| (false, row)).collect();
    let place = rows.partition_point(|(_, row)| row.alpha < serving.alpha);
    rows.insert(place, (true, &serving));

    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    let columns = Columns {
        wide: table.width().is_none_or(|width| width >= WIDE),
        draws_votes: report.draws_votes,
        bounds: &report.radius_bounds,
        span: span(rows.iter().map(|(_, row)| *row)),
        serving: &serving,
    };
    let titles: Vec<&str> = columns.of(&serving).into_iter().map(|(title, _)| title).collect();
    table.set_header(
        titles
            .iter()
            .map(|title| Cell::new(title).add_attribute(Attribute::Bold)),
    );
    for (serves, row) in rows {
        let cells = columns.of(row).into_iter().map(|(title, text)| match (serves, title) {
            (true, "alpha") => Cell::new(format!("{text} ◀")),
            (true, "change" | "gained" | "lost") => Cell::new("-"),
            _ => Cell::new(text),
        });
        let marked = |cell: Cell| cell.fg(Color::Cyan).add_attribute(Attribute::Bold);
        table.add_row(cells.map(|cell| if serves { marked(cell) } else { cell }));
    }
    for column in (0..titles.len()).filter(|&column| titles[column] != "radii") {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// What the columns depend on, beside the row.
struct Columns<'a> {
    wide: bool,
    draws_votes: bool,
    bounds: &'a [f64],
    span: Option<(usize, usize)>,
    serving: &'a ShadowRow,
}

impl Columns<'_> {
    /// Each title with what it says of `row`.
    fn of(&self, row: &ShadowRow) -> Vec<(&'static str, String)> {
        let (wide, draws_votes) = (self.wide, self.draws_votes);
        let all = [
            (true, "alpha", alpha(row.alpha)),
            (wide, "inputs", row.inputs.to_string()),
            (true, "same", share(row.agreements, row.inputs)),
            (true, "as g", share(row.standard_agreements, row.inputs)),
            (true, "certified", certified(row)),
            (draws_votes, "likely", likely(row)),
            (true, "change", change(row, self.serving)),
            (wide, "gained", row.gained.to_string()),
            (wide, "lost", row.lost.to_string()),
            (true, "median", median(&row.radii, self.bounds)),
            (
                true,
                "radii",
                self.span.map(|span| bars(&row.radii, span)).unwrap_or_default(),
            ),
            (wide && draws_votes, "votes", mean_votes(row)),
        ];
        let shown = all.into_iter().filter(|(shown, ..)| *shown);
        shown.map(|(_, title, text)| (title, text)).collect()
    }
}

/// As it was written; of one on its way, four digits.
fn alpha(alpha: f64) -> String {
    let rounded = format!("{alpha:.4}");
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
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

/// From what is proven on the votes drawn to what cannot be ruled out.
fn certified(row: &ShadowRow) -> String {
    if row.alpha < 0.5 {
        return "never".to_owned();
    }
    if row.inputs == 0 || row.open == 0 {
        return share(row.certified, row.inputs);
    }
    let most = row.certified.saturating_add(row.open);
    format!(
        "{:.0}–{:.0} %",
        points(row.certified, row.inputs).floor(),
        points(most, row.inputs).ceil()
    )
}

fn likely(row: &ShadowRow) -> String {
    if row.open == 0 || row.alpha < 0.5 {
        return certified(row);
    }
    format!(
        "~{:.0} %",
        points(row.certified.saturating_add(row.likely), row.inputs.max(1))
    )
}

fn change(row: &ShadowRow, serving: &ShadowRow) -> String {
    if row.inputs == 0 {
        return "-".to_owned();
    }
    let change = points(row.certified, row.inputs) - points(serving.certified, serving.inputs.max(1));
    let sign = if row.open > 0 && row.alpha >= 0.5 { "≥ " } else { "" };
    format!("{sign}{change:+.1}")
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
    let sign = if row.unfinished > 0 { "≥ " } else { "" };
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
            place("0.6 ") < place("0.76 ◀") && place("0.76 ◀") < place("0.9 "),
            "{text}"
        );
        assert!(
            text.contains("+25.0") && text.contains("-10.0") && text.contains("99.5 %"),
            "{text}"
        );
        assert!(!text.contains("votes"), "{text}");
    }

    #[test]
    fn what_cannot_be_ruled_out_is_told() {
        let mut row = row(0.9, 150);
        assert_eq!((certified(&row), likely(&row)), ("75.0 %".into(), "75.0 %".into()));
        (row.open, row.likely) = (21, 10);
        assert_eq!((certified(&row), likely(&row)), ("75–86 %".into(), "~80 %".into()));
        assert_eq!(change(&row, &self::row(0.7, 100)), "≥ +25.0");
        row.alpha = 0.4;
        assert_eq!((certified(&row), likely(&row)), ("never".into(), "never".into()));
    }

    #[test]
    fn an_alpha_on_its_way_is_short() {
        assert_eq!([0.76, 1.0, 0.0, 0.712_345_6].map(alpha), ["0.76", "1", "0", "0.7123"]);
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
