//! The numbers of one `ShadowRow` as text.

use crate::rpc::proto::ShadowRow;

/// The bars of the histogram, from the lowest to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The weight of the robust model where its margin is small. Older servers use alpha for every input.
pub(super) fn fallback_alpha(row: &ShadowRow) -> f64 {
    row.fallback_alpha.unwrap_or(row.alpha)
}

/// A weight or a temperature with at most four decimals. During a ramp a weight has more.
pub(super) fn short_number(number: f64) -> String {
    if 0.0 < number && number < 1e-4 {
        return format!("{number:e}");
    }
    let rounded = format!("{number:.4}");
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "printed with a few digits")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

/// A share in percent, or "-" without inputs.
pub(in crate::cli::client) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", percent(part, whole))
}

/// The certified share: from the share proven on the drawn votes to the largest possible share.
pub(in crate::cli::client) fn certified_share(row: &ShadowRow) -> String {
    if row.alpha < 0.5 {
        return "never".to_owned();
    }
    if row.inputs == 0 || row.open == 0 {
        return share(row.certified, row.inputs);
    }
    let most = row.certified.saturating_add(row.open);
    format!(
        "{:.0}–{:.0} %",
        percent(row.certified, row.inputs).floor(),
        percent(most, row.inputs).ceil()
    )
}

/// An estimate of the certified share.
pub(super) fn likely_share(row: &ShadowRow) -> String {
    if row.open == 0 || row.alpha < 0.5 {
        return certified_share(row);
    }
    format!(
        "~{:.0} %",
        percent(row.certified.saturating_add(row.likely), row.inputs.max(1))
    )
}

/// The change of the certified share against the served mixture, in percentage points. With open
/// inputs it is a lower bound.
pub(super) fn certified_change(row: &ShadowRow, serving: &ShadowRow) -> String {
    if row.inputs == 0 {
        return "-".to_owned();
    }
    let change = percent(row.certified, row.inputs) - percent(serving.certified, serving.inputs.max(1));
    let sign = if row.open > 0 && row.alpha >= 0.5 { "≥ " } else { "" };
    format!("{sign}{change:+.1}")
}

/// The lower edge of the median's bucket: half of the radii are at least this. Of two middle radii
/// the upper one counts.
pub(super) fn median_radius(radii: &[u64], bounds: &[f64]) -> String {
    let total: u64 = radii.iter().sum();
    if total == 0 {
        return "-".to_owned();
    }
    let mut above = 0;
    for (bucket, count) in radii.iter().enumerate().rev() {
        above += count;
        if 2 * above >= total {
            let edge = bucket.checked_sub(1).and_then(|below| bounds.get(below));
            return edge.map_or_else(|| "> 0".to_owned(), |edge| format!("≥ {edge}"));
        }
    }
    "-".to_owned()
}

/// The first and the last bucket that any row has filled.
pub(super) fn filled_buckets<'a>(rows: impl Iterator<Item = &'a ShadowRow>) -> Option<(usize, usize)> {
    let filled = rows.flat_map(|row| {
        row.radii
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(bucket, _)| bucket)
    });
    filled.fold(None, |range, bucket| match range {
        None => Some((bucket, bucket)),
        Some((first, last)) => Some((first.min(bucket), last.max(bucket))),
    })
}

/// The buckets from `first` to `last` as bars. The fullest bucket of the row has the highest bar.
pub(super) fn histogram(radii: &[u64], (first, last): (usize, usize)) -> String {
    let most = radii.iter().copied().max().unwrap_or(0);
    let bar = |&count: &u64| match count {
        0 => ' ',
        count => {
            // Any count above 0 has at least the lowest bar.
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

/// The mean number of votes for an input. With unfinished inputs it is a lower bound.
pub(super) fn mean_votes(row: &ShadowRow) -> String {
    let sign = if row.unfinished > 0 { "≥ " } else { "" };
    match row.inputs {
        0 => "-".to_owned(),
        inputs => format!("{sign}{:.0}", percent(row.votes, inputs) / 100.0),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cli::client::shadow) fn row(alpha: f64, certified: u64) -> ShadowRow {
        ShadowRow {
            alpha,
            inputs: 200,
            agreements: 199,
            certified,
            radii: vec![0, certified / 4, certified, 0],
            ..Default::default()
        }
    }

    #[test]
    fn open_inputs_widen_the_certified_share() {
        let mut row = row(0.9, 150);
        assert_eq!(
            (certified_share(&row), likely_share(&row)),
            ("75.0 %".into(), "75.0 %".into())
        );
        (row.open, row.likely) = (21, 10);
        assert_eq!(
            (certified_share(&row), likely_share(&row)),
            ("75–86 %".into(), "~80 %".into())
        );
        assert_eq!(certified_change(&row, &self::row(0.7, 100)), "≥ +25.0");
        row.alpha = 0.4;
        assert_eq!(
            (certified_share(&row), likely_share(&row)),
            ("never".into(), "never".into())
        );
    }

    #[test]
    fn a_number_has_at_most_four_decimals() {
        assert_eq!(
            [0.76, 1.0, 0.0, 20.0, 0.712_345_6, 5e-6].map(short_number),
            ["0.76", "1", "0", "20", "0.7123", "5e-6"]
        );
    }

    #[test]
    fn a_median_is_not_overstated() {
        let bounds = [0.1, 0.2, 0.5];
        assert_eq!(median_radius(&[0, 0, 0, 0], &bounds), "-");
        assert_eq!(median_radius(&[9, 0, 0, 0], &bounds), "> 0");
        assert_eq!(median_radius(&[5, 1, 4, 1], &bounds), "≥ 0.1");
        assert_eq!(median_radius(&[5, 0, 4, 1], &bounds), "≥ 0.2");
        assert_eq!(median_radius(&[0, 0, 0, 3], &bounds), "≥ 0.5");
    }

    #[test]
    fn the_histogram_covers_the_filled_buckets() {
        let rows = [row(0.6, 80), row(0.9, 8)];
        let range = filled_buckets(rows.iter());
        assert_eq!(range, Some((1, 2)));
        assert_eq!(histogram(&rows[0].radii, (1, 2)), "▂█");
        assert_eq!(histogram(&[0, 1, 1_000_000, 0], (0, 3)), " ▁█ ");
    }

    #[test]
    fn mean_votes_are_a_lower_bound_with_unfinished_inputs() {
        let mut row = row(0.7, 0);
        row.votes = 20_100;
        assert_eq!(mean_votes(&row), "100");
        row.unfinished = 1;
        assert_eq!(mean_votes(&row), "≥ 100");
        row.inputs = 0;
        assert_eq!(mean_votes(&row), "-");
    }
}
