//! Any bytes as a data set of each format, as a file of labels, and as a record file.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::domain::InputSpec;
use crate::evaluation::{DataSet, DataSetEntry, DataSetOptions, EvaluationRecords};

/// The most rows that are read. A small file may hold any number of equal rows.
const MAX_ROWS: usize = 200;

/// The file for each value of the first byte.
pub(super) const FILES: [&str; 8] = [
    "array.npy",
    "archive.npz",
    "table.csv",
    "table.parquet",
    "cifar.bin",
    "images/cat/image.png",
    "labels",
    RECORDS,
];

const RECORDS: &str = "records.parquet";

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("images/cat")).unwrap();
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }\n";
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let array = [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), &[7; 12]].concat();
    fs::write(folder.path().join("labelled.npy"), array).unwrap();
    folder
});

/// Reads the bytes after the first as the file that the first one selects.
///
/// A row is an input of the model, or is skipped for a reason. A reading from the second row on gives the
/// same rows.
pub(super) fn data_sets(data: &[u8]) {
    let Some((&kind, content)) = data.split_first() else {
        return;
    };
    let name = FILES[usize::from(kind) % FILES.len()];
    let path = FOLDER.path().join(name);
    fs::write(&path, content).unwrap();
    let (data_set, labels) = match name {
        RECORDS => {
            let _ = EvaluationRecords::read(&path);
            return;
        }
        "labels" => (FOLDER.path().join("labelled.npy"), Some(path)),
        "images/cat/image.png" => (FOLDER.path().join("images"), None),
        _ => (path, None),
    };
    let shape: &[usize] = match name {
        "cifar.bin" => &[3, 32, 32],
        "images/cat/image.png" => &[3, 1, 2],
        _ => &[4],
    };
    read(&data_set, labels, shape);
}

fn read(path: &Path, labels: Option<PathBuf>, shape: &[usize]) {
    let spec = InputSpec {
        name: "input".to_owned(),
        shape: shape.to_vec(),
        low: 0.0,
        high: 1.0,
        levels: None,
    };
    let names = ["cat", "dog", "ship"].map(str::to_owned);
    let options = DataSetOptions {
        labels,
        ..DataSetOptions::default()
    };
    let Ok(data_set) = DataSet::open(path, options, &spec, &names) else {
        return;
    };
    assert_ne!(data_set.rows(), Some(0), "a data set has rows");
    let all = rows(&data_set, &spec, names.len(), 0);
    let later = rows(&data_set, &spec, names.len(), 1);
    for (row, again) in all.iter().skip(1).zip(&later) {
        assert_eq!(row, again);
    }
}

/// The first rows from the row `first` on. Checks each of them.
fn rows(data_set: &DataSet, spec: &InputSpec, classes: usize, first: u64) -> Vec<String> {
    let (mut rows, mut index) = (Vec::new(), first);
    let read = data_set.read(first, |entry| {
        assert_eq!(entry.index(), index, "the rows come in their order");
        index += 1;
        rows.push(match entry {
            DataSetEntry::Input(input) => {
                let values = input.input.values();
                assert_eq!(values.len(), spec.dimension());
                assert!(values.iter().all(|value| (0.0..=1.0).contains(value)), "{values:?}");
                assert!(input.label.is_none_or(|label| (label as usize) < classes));
                format!("{} {:?} {values:?}", input.id, input.label)
            }
            DataSetEntry::Skipped(row) => {
                assert!(!row.name.is_empty() && !row.reason.is_empty());
                row.name
            }
        });
        if rows.len() < MAX_ROWS {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    if let Err(error) = read {
        assert!(!error.to_string().is_empty());
    }
    rows
}
