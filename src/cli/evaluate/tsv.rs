//! The tab-separated table of the literature on randomized smoothing.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::classifier::RecomputedAnswer;
use crate::evaluation::EvaluationRecord;

/// Writes the columns idx, label, predict, radius, correct and time.
pub(super) struct TsvWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl TsvWriter {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let mut writer = Self {
            path: path.to_path_buf(),
            file: BufWriter::new(file),
        };
        writer.line("idx\tlabel\tpredict\tradius\tcorrect\ttime")?;
        Ok(writer)
    }

    /// Adds one input. An input without a label has the label -1 and counts as not correct.
    pub(super) fn add(&mut self, record: &EvaluationRecord, answer: &RecomputedAnswer) -> anyhow::Result<()> {
        let label = record.label.map_or(-1, i64::from);
        let is_correct = i64::try_from(answer.class).is_ok_and(|class| class == label);
        self.line(&format!(
            "{}\t{label}\t{}\t{}\t{}\t{}",
            record.index,
            answer.class,
            answer.radius,
            u8::from(is_correct),
            elapsed(record.seconds)
        ))
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.file.flush().with_context(|| self.path.display().to_string())
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.file, "{line}").with_context(|| self.path.display().to_string())
    }
}

/// Seconds as `H:MM:SS.micros`.
fn elapsed(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time from 0")]
    let micros = (seconds * 1e6).round() as u64;
    let seconds = micros / 1_000_000;
    format!(
        "{}:{:02}:{:02}.{:06}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        micros % 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::elapsed;

    #[test]
    fn times_have_hours_minutes_seconds_and_microseconds() {
        assert_eq!(elapsed(0.000_25), "0:00:00.000250");
        assert_eq!(elapsed(3_723.5), "1:02:03.500000");
    }
}
