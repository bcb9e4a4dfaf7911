//! The folder of an unfinished run, which survives a kill at any moment.
//!
//! Each part is a complete record file, which has reached the disk before it gets its name. A run that
//! is killed loses only the part that it has not finished, and the next run goes on after the last
//! complete part. The parts hold consecutive inputs, so no input is lost or repeated.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::evaluation::error::EvaluationError;
use crate::evaluation::header_format;
use crate::evaluation::record::{EvaluationHeader, EvaluationRecord};
use crate::evaluation::record_file::{RecordFileReader, RecordFileWriter, RunSummary, SkippedInput};

/// The folder of an unfinished run.
pub struct RunFolder {
    path: PathBuf,
    output: PathBuf,
    /// Held for as long as the run lasts, so that no second run writes to the folder.
    _lock: File,
    parts: Vec<PathBuf>,
    summary: RunSummary,
    open_part: Option<Part>,
}

/// The part that is being written.
struct Part {
    writer: RecordFileWriter,
    path: PathBuf,
    summary: RunSummary,
}

impl RunFolder {
    /// Opens or creates the folder of the run that writes `output`.
    ///
    /// # Errors
    /// If the folder cannot be written, holds foreign files, or belongs to another process.
    pub fn open(output: &Path) -> Result<Self, EvaluationError> {
        let path = folder_of(output);
        let error = |reason: std::io::Error| EvaluationError::file(&path, reason);
        fs::create_dir_all(&path).map_err(error)?;
        let lock = File::create(path.join("lock")).map_err(error)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(EvaluationError::file(&path, "another evaluation writes to this folder"));
            }
            Err(TryLockError::Error(reason)) => return Err(error(reason)),
        }
        let mut parts = Vec::new();
        for entry in fs::read_dir(&path).map_err(error)? {
            let file = entry.map_err(error)?.path();
            if file.extension().is_some_and(|extension| extension == "parquet") {
                parts.push(file);
            }
        }
        parts.sort();
        let mut summary = RunSummary::default();
        for part in &parts {
            summary.append(RecordFileReader::open(part)?.summary().clone());
        }
        Ok(Self {
            path,
            output: output.to_path_buf(),
            _lock: lock,
            parts,
            summary,
            open_part: None,
        })
    }

    /// The header of the finished parts; `None` for a new run.
    ///
    /// # Errors
    /// If the first part cannot be read.
    pub fn header(&self) -> Result<Option<EvaluationHeader>, EvaluationError> {
        let first = self
            .parts
            .first()
            .map(|part| RecordFileReader::open(part))
            .transpose()?;
        Ok(first.map(|part| part.header().clone()))
    }

    /// The inputs that the finished parts have seen.
    #[must_use]
    pub fn summary(&self) -> &RunSummary {
        &self.summary
    }

    /// Returns the header with which the run continues: that of the finished parts, which differs from
    /// `header` in the time and the noise alone.
    ///
    /// # Errors
    /// If anything else differs. The message names the fields.
    pub fn continued_header(&self, header: EvaluationHeader) -> Result<EvaluationHeader, EvaluationError> {
        let Some(started) = self.header()? else {
            return Ok(header);
        };
        let mut resumed = header;
        resumed.created.clone_from(&started.created);
        if let (Some(resumed), Some(started)) = (&mut resumed.sampling, &started.sampling) {
            // A run of this process is no continuation of one on services.
            if resumed.noise_secret.is_some() && started.noise_secret.is_some() {
                resumed.noise_secret = started.noise_secret;
            }
        }
        if resumed == started {
            return Ok(started);
        }
        let fields = differing_fields(&resumed, &started);
        Err(EvaluationError::file(
            &self.path,
            format!(
                "holds an unfinished evaluation with other conditions ({fields}): continue it with the same models, \
                 settings and data, or use --restart to delete it"
            ),
        ))
    }

    /// Adds the record of the next input.
    ///
    /// # Errors
    /// If the part cannot be written.
    pub fn add(&mut self, header: &EvaluationHeader, record: EvaluationRecord) -> Result<(), EvaluationError> {
        let part = self.part(header)?;
        part.summary.next_index = record.index + 1;
        part.writer.add(record)
    }

    /// Adds the next input, which has no record.
    ///
    /// # Errors
    /// If the part cannot be written.
    pub fn add_skipped(&mut self, header: &EvaluationHeader, skipped: SkippedInput) -> Result<(), EvaluationError> {
        let part = self.part(header)?;
        part.summary.next_index = skipped.index + 1;
        part.summary.add_skipped(skipped);
        Ok(())
    }

    /// Finishes the part that is being written. It then survives a kill.
    ///
    /// # Errors
    /// If the part cannot be written.
    pub fn finish_part(&mut self) -> Result<(), EvaluationError> {
        let Some(part) = self.open_part.take() else {
            return Ok(());
        };
        part.writer.finish(&part.summary)?;
        let finished = part.path.with_extension("parquet");
        publish(&part.path, &finished)?;
        self.parts.push(finished);
        self.summary.append(part.summary);
        Ok(())
    }

    /// Merges the parts into the output file, and deletes the folder.
    ///
    /// # Errors
    /// If a part cannot be read or the output cannot be written. The folder then stays.
    pub fn merge(mut self, header: &EvaluationHeader) -> Result<RunSummary, EvaluationError> {
        self.finish_part()?;
        let merged = self.path.join("merged.unfinished");
        let mut writer = RecordFileWriter::create(&merged, header)?;
        for part in &self.parts {
            let mut reader = RecordFileReader::open(part)?;
            while let Some(records) = reader.next_group()? {
                records.into_iter().try_for_each(|record| writer.add(record))?;
            }
        }
        writer.finish(&self.summary)?;
        publish(&merged, &self.output)?;
        fs::remove_dir_all(&self.path).map_err(|error| EvaluationError::file(&self.path, error))?;
        Ok(self.summary)
    }

    /// Deletes the folder of an unfinished run that writes `output`, if there is one.
    ///
    /// # Errors
    /// If it cannot be deleted.
    pub fn delete(output: &Path) -> Result<(), EvaluationError> {
        let path = folder_of(output);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(EvaluationError::file(&path, error)),
            _ => Ok(()),
        }
    }

    fn part(&mut self, header: &EvaluationHeader) -> Result<&mut Part, EvaluationError> {
        let part = match self.open_part.take() {
            Some(part) => part,
            None => {
                // The names sort in the order of the parts.
                let path = self.path.join(format!("{:08}.unfinished", self.parts.len()));
                Part {
                    writer: RecordFileWriter::create(&path, header)?,
                    path,
                    summary: RunSummary::default(),
                }
            }
        };
        Ok(self.open_part.insert(part))
    }
}

/// The folder of the run that writes `output`.
fn folder_of(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Gives a complete file its name, and waits until the name has reached the disk.
fn publish(from: &Path, to: &Path) -> Result<(), EvaluationError> {
    let renamed = fs::rename(from, to).and_then(|()| {
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    });
    renamed.map_err(|error| EvaluationError::file(to, error))
}

/// The names of the fields in which two headers differ.
fn differing_fields(header: &EvaluationHeader, other: &EvaluationHeader) -> String {
    let (Ok(header), Ok(other)) = (header_format::to_json(header), header_format::to_json(other)) else {
        return "the header".to_owned();
    };
    let fields = header.as_object().into_iter().flatten();
    let differing = fields.filter(|(name, value)| other.get(name.as_str()) != Some(*value));
    differing.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::record_file::EvaluationRecords;
    use crate::evaluation::test_records::{header, record};

    fn skipped(index: u64) -> SkippedInput {
        SkippedInput {
            index,
            name: format!("x.csv#{index}"),
            reason: "is not a number".to_owned(),
        }
    }

    /// A run that ends without a word after each part, and in the middle of one.
    #[test]
    fn a_run_goes_on_after_its_last_complete_part() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("r.parquet");
        let header = header(true);
        for _ in 0..7 {
            let mut run = RunFolder::open(&output).unwrap();
            let first = run.summary().next_index;
            for index in first..first + 3 {
                if index % 4 == 1 {
                    run.add_skipped(&header, skipped(index)).unwrap();
                } else {
                    run.add(&header, record(index, true)).unwrap();
                }
            }
            run.finish_part().unwrap();
            // This part is lost.
            run.add(&header, record(first + 3, true)).unwrap();
        }
        let run = RunFolder::open(&output).unwrap();
        let summary = run.merge(&header).unwrap();
        assert_eq!((summary.next_index, summary.skipped), (21, 5));
        let (_, records) = EvaluationRecords::read(&output).unwrap();
        let indices: Vec<u64> = records.iter().map(|record| record.index).collect();
        assert_eq!(indices, (0..21).filter(|index| index % 4 != 1).collect::<Vec<_>>());
        assert!(!folder_of(&output).exists());
    }

    #[test]
    fn a_second_run_on_the_same_output_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("r.parquet");
        let _first = RunFolder::open(&output).unwrap();
        let error = RunFolder::open(&output).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(error.contains("another evaluation writes"), "{error}");
    }

    #[test]
    fn only_the_time_and_the_noise_may_differ_when_a_run_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("r.parquet");
        let started = header(true);
        let mut run = RunFolder::open(&output).unwrap();
        run.add(&started, record(0, true)).unwrap();
        run.finish_part().unwrap();
        let mut resumed = started.clone();
        resumed.created = "2027-01-01T00:00:00Z".to_owned();
        resumed.sampling.as_mut().unwrap().noise_secret = Some([9; 32]);
        assert_eq!(run.continued_header(resumed.clone()).unwrap(), started);
        resumed.labels.push("new".to_owned());
        resumed.data_set.sha256 = "ef".repeat(32);
        let error = run.continued_header(resumed).unwrap_err().to_string();
        assert!(
            error.contains("(data_set, labels)") && error.contains("--restart"),
            "{error}"
        );
    }
}
