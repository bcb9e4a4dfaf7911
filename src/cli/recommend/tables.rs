//! The tables of a recommendation. Each fits 80 columns.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};

use crate::cli::text_layout::{Keep, shorten};
use crate::evaluation::EvaluationHeader;
use crate::evaluation::recommend::{Estimate, Interval, PairedChange, Recommendation};
use crate::evaluation::recompute::{ClassCounts, SettingSummary};

/// The most radii of the table of radii.
const MAX_RADII: usize = 6;

/// The most classes of the table of classes.
const MAX_CLASSES: usize = 5;

/// The widest label of a class.
const LABEL_WIDTH: usize = 24;

fn table(titles: &[&str], rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(titles.iter().map(Cell::new));
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Both settings, over all inputs.
pub(super) fn settings_table(recommendation: &Recommendation) -> Table {
    let row = |name: &str, summary: &SettingSummary| {
        let measures = recommendation.objective.measures(summary, &recommendation.grid);
        let setting = &summary.setting;
        vec![
            name.to_owned(),
            number(setting.alpha()),
            number(setting.fallback_alpha()),
            number(setting.robust_temperature()),
            percent(measures.clean_accuracy()),
            percent(measures.certified_share()),
        ]
    };
    let rows = vec![
        row("in force", &recommendation.in_force),
        row(recommended_name(recommendation), &recommendation.recommended),
    ];
    table(
        &["all inputs", "alpha", "fallback", "T", "right", "and certified"],
        rows,
    )
}

fn recommended_name(recommendation: &Recommendation) -> &'static str {
    if recommendation.fits { "recommended" } else { "nearest" }
}

/// The votes and the time of an answer.
pub(super) fn costs_table(recommendation: &Recommendation) -> Table {
    let draws_votes = !recommendation.recommended.votes.is_empty() || !recommendation.in_force.votes.is_empty();
    let mut titles = vec!["one answer"];
    if draws_votes {
        titles.extend(["mean votes", "p99 votes"]);
    }
    titles.push("mean ms");
    let row = |name: &str, summary: &SettingSummary, seconds: f64| {
        let mut row = vec![name.to_owned()];
        if draws_votes {
            let measures = recommendation.objective.measures(summary, &recommendation.grid);
            row.extend([format!("{:.0}", summary.mean_votes()), measures.p99_votes.to_string()]);
        }
        row.push(format!("{:.1}", seconds * 1e3));
        row
    };
    let [seconds, seconds_in_force] = recommendation.seconds;
    let rows = vec![
        row("in force", &recommendation.in_force, seconds_in_force),
        row(recommended_name(recommendation), &recommendation.recommended, seconds),
    ];
    table(&titles, rows)
}

/// The shares on the inputs that were held aside.
pub(super) fn shares_table(recommendation: &Recommendation) -> Table {
    let held_aside = &recommendation.held_aside;
    let row = |name: &str, estimate: &Estimate| {
        vec![
            name.to_owned(),
            estimate.count.to_string(),
            estimate.inputs.to_string(),
            percent(estimate.share()),
            interval(estimate.interval, false),
        ]
    };
    let rows = vec![
        row("right", &held_aside.clean_accuracy),
        row("right and certified", &held_aside.certified),
    ];
    table(&["held aside", "inputs", "of", "share", "interval"], rows)
}

/// The changes against the setting in force on the inputs that were held aside.
pub(super) fn changes_table(recommendation: &Recommendation) -> Table {
    let comparison = &recommendation.held_aside.comparison;
    let row = |name: &str, change: &PairedChange| {
        vec![
            name.to_owned(),
            change.gained.to_string(),
            change.lost.to_string(),
            format!("{:+.1}", 100.0 * change.difference()),
            interval(change.interval, true),
            p_value(change.p_value),
        ]
    };
    let rows = vec![
        row("right", &comparison.right),
        row("right and certified", &comparison.certified),
    ];
    table(
        &["against in force", "mended", "broken", "points", "interval", "p"],
        rows,
    )
}

/// The certified share at some radii, over all inputs.
pub(super) fn radii_table(recommendation: &Recommendation) -> Option<Table> {
    let radii = recommendation.grid.radii();
    let (new, old) = (&recommendation.recommended, &recommendation.in_force);
    // The radii that some answer reaches, and that of the objective.
    let reached = new
        .right_certified_at
        .iter()
        .zip(&old.right_certified_at)
        .take_while(|(new, old)| **new + **old > 0)
        .count();
    let mut shown: Vec<usize> = (1..MAX_RADII).map(|part| part * reached / MAX_RADII).collect();
    shown.extend(
        recommendation
            .objective
            .radius
            .and_then(|radius| recommendation.grid.index_of(radius)),
    );
    shown.sort_unstable();
    shown.dedup();
    if reached == 0 {
        return None;
    }
    let titles: Vec<String> = std::iter::once("right and certified at".to_owned())
        .chain(
            shown
                .iter()
                .filter_map(|&index| radii.get(index))
                .map(|&radius| number(radius)),
        )
        .collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let row = |name: &str, summary: &SettingSummary| {
        let shares = shown.iter().filter_map(|&index| summary.right_certified_at.get(index));
        std::iter::once(name.to_owned())
            .chain(shares.map(|&count| percent(share(count, summary.labelled))))
            .collect()
    };
    let name = if recommendation.fits { "recommended" } else { "nearest" };
    Some(table(&titles, vec![row("in force", old), row(name, new)]))
}

/// The classes that lose the most right answers, over all inputs; `None` if no class loses one.
pub(super) fn classes_table(header: &EvaluationHeader, recommendation: &Recommendation) -> Option<Table> {
    let pairs = recommendation
        .in_force
        .classes
        .iter()
        .zip(&recommendation.recommended.classes);
    let mut losers: Vec<(&String, &ClassCounts, &ClassCounts)> = header
        .labels
        .iter()
        .zip(pairs)
        .filter(|(_, (before, after))| after.right < before.right)
        .map(|(label, (before, after))| (label, before, after))
        .collect();
    losers.sort_by(|left, right| {
        let loss = |(_, before, after): &(&String, &ClassCounts, &ClassCounts)| {
            share(before.right - after.right, before.inputs.max(1))
        };
        loss(right).total_cmp(&loss(left))
    });
    losers.truncate(MAX_CLASSES);
    if losers.is_empty() {
        return None;
    }
    let titles = ["loses most", "inputs", "right", "before", "certified", "before"];
    let rows = losers.into_iter().map(|(label, before, after)| {
        let of = |count, counts: &ClassCounts| percent(share(count, counts.inputs));
        vec![
            shorten(label, LABEL_WIDTH, Keep::Start).unwrap_or_else(|| "…".to_owned()),
            after.inputs.to_string(),
            of(after.right, after),
            of(before.right, before),
            of(after.right_certified, after),
            of(before.right_certified, before),
        ]
    });
    Some(table(&titles, rows.collect()))
}

#[expect(clippy::cast_precision_loss, reason = "printed with a few digits")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A share with one decimal.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The ends of an interval in percent, rounded outward to one decimal.
pub(super) fn interval(interval: Interval, is_signed: bool) -> String {
    let (low, high) = ((interval.low * 1e3).floor() / 10.0, (interval.high * 1e3).ceil() / 10.0);
    if is_signed {
        format!("{low:+.1} to {high:+.1}")
    } else {
        format!("{low:.1} to {high:.1}")
    }
}

/// A number with at most four digits behind the point.
pub(super) fn number(number: f64) -> String {
    if number != 0.0 && number.abs() < 1e-3 {
        return format!("{number:.1e}");
    }
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_intervals_are_rounded_outward() {
        assert_eq!(
            [0.25, 36.0 / 255.0, 0.00012, 0.0, 1.0].map(number),
            ["0.25", "0.1412", "1.2e-4", "0", "1"]
        );
        let ends = Interval {
            low: 0.911_19,
            high: 0.920_01,
        };
        assert_eq!(interval(ends, false), "91.1 to 92.1");
        let ends = Interval {
            low: -0.011_19,
            high: 0.020_01,
        };
        assert_eq!(interval(ends, true), "-1.2 to +2.1");
        assert_eq!(
            (p_value(0.0001), p_value(0.0384)),
            ("< 0.001".to_owned(), "0.038".to_owned())
        );
    }
}
