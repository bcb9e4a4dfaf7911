//! Converts records to Parquet columns and back.

use std::fs::File;

use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::RowGroupReader;
use parquet::file::writer::SerializedRowGroupWriter;

use crate::domain::{RobustOutput, bytes_of_hex, hex};
use crate::evaluation::derived::Derived;
use crate::evaluation::record::{EvaluationHeader, EvaluationRecord};

/// The definition level of a value in a list, and of a missing element of a list of votes.
const LIST_VALUE: i16 = 1;
/// The definition level of a vote for a class.
const VOTE: i16 = 2;

/// One column: its values, and the levels where it has some.
struct Column<T> {
    values: Vec<T>,
    definition: Option<Vec<i16>>,
    repetition: Option<Vec<i16>>,
}

impl<T> Column<T> {
    fn required(values: Vec<T>) -> Self {
        Self {
            values,
            definition: None,
            repetition: None,
        }
    }

    fn optional(values: impl Iterator<Item = Option<T>>) -> Self {
        let (mut present, mut definition) = (Vec::new(), Vec::new());
        for value in values {
            definition.push(i16::from(value.is_some()));
            present.extend(value);
        }
        Self {
            values: present,
            definition: Some(definition),
            repetition: None,
        }
    }

    /// A column of lists. Each element comes with its definition level.
    fn lists<I>(lists: impl Iterator<Item = I>) -> Self
    where
        I: Iterator<Item = (Option<T>, i16)>,
    {
        let (mut values, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
        for list in lists {
            let start = definition.len();
            for (value, level) in list {
                repetition.push(i16::from(definition.len() > start));
                definition.push(level);
                values.extend(value);
            }
            if definition.len() == start {
                // An empty list.
                definition.push(0);
                repetition.push(0);
            }
        }
        Self {
            values,
            definition: Some(definition),
            repetition: Some(repetition),
        }
    }
}

fn write<D: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    column: &Column<D::T>,
) -> Result<(), ParquetError> {
    let mut writer = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("the schema has too few columns".to_owned()))?;
    writer.typed::<D>().write_batch(
        &column.values,
        column.definition.as_deref(),
        column.repetition.as_deref(),
    )?;
    writer.close()
}

fn int32(class: u32) -> Result<i32, ParquetError> {
    i32::try_from(class).map_err(|_| ParquetError::General(format!("class {class} does not fit 31 bits")))
}

fn int64(number: u64) -> Result<i64, ParquetError> {
    i64::try_from(number).map_err(|_| ParquetError::General(format!("{number} does not fit 63 bits")))
}

/// Writes `records` as the columns of [`schema`](super::schema::schema), in its order.
pub(super) fn write_columns(
    group: &mut SerializedRowGroupWriter<'_, File>,
    header: &EvaluationHeader,
    records: &[EvaluationRecord],
) -> Result<(), ParquetError> {
    let derived: Vec<Derived> = records.iter().map(|record| Derived::new(header, record)).collect();
    let indices: Vec<i64> = records
        .iter()
        .map(|record| int64(record.index))
        .collect::<Result<_, _>>()?;
    let classes = |of: &dyn Fn(usize) -> Option<u32>| {
        let classes: Vec<Option<i32>> = (0..records.len())
            .map(|row| of(row).map(int32).transpose())
            .collect::<Result<_, _>>()?;
        Ok::<_, ParquetError>(Column::optional(classes.into_iter()))
    };
    let floats = |of: &dyn Fn(usize) -> f64| Column::required((0..records.len()).map(of).collect());
    write::<Int64Type>(group, &Column::required(indices))?;
    let ids = records.iter().map(|record| ByteArray::from(record.id.as_str()));
    write::<ByteArrayType>(group, &Column::required(ids.collect()))?;
    write::<Int32Type>(group, &classes(&|row| records[row].label)?)?;
    write::<DoubleType>(group, &floats(&|row| records[row].snapping_loss))?;
    write::<DoubleType>(group, &floats(&|row| records[row].seconds))?;
    write::<Int32Type>(group, &classes(&|row| derived[row].standard_class)?)?;
    write::<DoubleType>(group, &floats(&|row| derived[row].standard_margin))?;
    write::<Int32Type>(group, &classes(&|row| derived[row].robust_class)?)?;
    write::<DoubleType>(group, &floats(&|row| derived[row].robust_margin))?;
    write::<FloatType>(group, &rows(records.iter().map(|record| record.standard.as_slice())))?;
    if header.sampling.is_none() {
        let robust = records.iter().map(|record| match &record.robust {
            RobustOutput::Row(row) => row.as_slice(),
            RobustOutput::Votes(_) => &[],
        });
        return write::<FloatType>(group, &rows(robust));
    }
    let votes = records.iter().map(|record| match &record.robust {
        RobustOutput::Votes(votes) => votes.as_slice(),
        RobustOutput::Row(_) => &[],
    });
    let votes = votes.map(|votes| {
        votes
            .iter()
            .map(|vote| match vote.and_then(|class| i32::try_from(class).ok()) {
                Some(class) => (Some(class), VOTE),
                None => (None, LIST_VALUE),
            })
    });
    write::<Int32Type>(group, &Column::lists(votes))?;
    for of in [
        |derived: &Derived| derived.tally.votes_for_class,
        |derived: &Derived| derived.tally.votes_for_runner_up,
    ] {
        let counts = derived.iter().map(|derived| int64(of(derived)));
        write::<Int64Type>(group, &Column::required(counts.collect::<Result<_, _>>()?))?;
    }
    if has_noise_keys(header) {
        let key = |record: &EvaluationRecord| match &record.noise_key {
            Some(key) => Ok(ByteArray::from(hex(key).into_bytes())),
            None => Err(ParquetError::General(format!("{} has no noise key", record.id))),
        };
        let keys = records.iter().map(key).collect::<Result<_, _>>()?;
        write::<ByteArrayType>(group, &Column::required(keys))?;
    }
    Ok(())
}

/// Whether each record has the key of its noise.
fn has_noise_keys(header: &EvaluationHeader) -> bool {
    let sampling = header.sampling.as_ref();
    sampling.is_some_and(|sampling| sampling.noise_secret.is_none())
}

fn rows<'a>(rows: impl Iterator<Item = &'a [f32]>) -> Column<f32> {
    Column::lists(rows.map(|row| row.iter().map(|&value| (Some(value), LIST_VALUE))))
}

/// The columns of one row group, as they are in the file.
pub(super) struct GroupColumns {
    indices: Vec<i64>,
    ids: Vec<ByteArray>,
    labels: Vec<Option<i32>>,
    snapping_losses: Vec<f64>,
    seconds: Vec<f64>,
    standard: Vec<Vec<f32>>,
    robust: RobustColumn,
    noise_keys: Option<Vec<ByteArray>>,
}

enum RobustColumn {
    Rows(Vec<Vec<f32>>),
    Votes(Vec<Vec<Option<i32>>>),
}

impl GroupColumns {
    /// Reads the columns of `group` that records consist of.
    pub(super) fn read(group: &dyn RowGroupReader, header: &EvaluationHeader) -> Result<Self, ParquetError> {
        let rows = usize::try_from(group.metadata().num_rows())
            .map_err(|_| ParquetError::General("the number of rows is negative".to_owned()))?;
        // The columns in between are derived.
        let robust = match header.sampling {
            None => RobustColumn::Rows(read_rows(group, 10, rows)?),
            Some(_) => {
                let lists = read_lists::<Int32Type>(group, 10, rows, VOTE)?;
                RobustColumn::Votes(lists)
            }
        };
        Ok(Self {
            indices: read_required::<Int64Type>(group, 0, rows)?,
            ids: read_required::<ByteArrayType>(group, 1, rows)?,
            labels: read_optional::<Int32Type>(group, 2, rows)?,
            snapping_losses: read_required::<DoubleType>(group, 3, rows)?,
            seconds: read_required::<DoubleType>(group, 4, rows)?,
            standard: read_rows(group, 9, rows)?,
            robust,
            noise_keys: match has_noise_keys(header) {
                true => Some(read_required::<ByteArrayType>(group, 13, rows)?),
                false => None,
            },
        })
    }

    /// The records, or the row in the group that is not a record, and the reason.
    pub(super) fn into_records(self) -> Result<Vec<EvaluationRecord>, (u64, String)> {
        let mut standard = self.standard.into_iter();
        let (mut rows, mut votes) = match self.robust {
            RobustColumn::Rows(rows) => (rows.into_iter(), Vec::new().into_iter()),
            RobustColumn::Votes(votes) => (Vec::new().into_iter(), votes.into_iter()),
        };
        let class = |class: i32| u32::try_from(class).map_err(|_| format!("class {class} is negative"));
        let mut record = |row: usize| {
            let robust = match (rows.next(), votes.next()) {
                (Some(row), _) => RobustOutput::Row(row),
                (None, Some(votes)) => RobustOutput::Votes(
                    votes
                        .into_iter()
                        .map(|vote| vote.map(class).transpose())
                        .collect::<Result<_, String>>()?,
                ),
                (None, None) => return Err("has no output of the robust model".to_owned()),
            };
            Ok(EvaluationRecord {
                id: self.ids[row].as_utf8().map_err(|error| error.to_string())?.to_owned(),
                index: u64::try_from(self.indices[row]).map_err(|_| "index is negative".to_owned())?,
                label: self.labels[row].map(class).transpose()?,
                standard: standard.next().unwrap_or_default(),
                robust,
                noise_key: match &self.noise_keys {
                    None => None,
                    Some(keys) => Some(noise_key(&keys[row])?),
                },
                snapping_loss: self.snapping_losses[row],
                seconds: self.seconds[row],
            })
        };
        (0..self.indices.len())
            .map(|row| record(row).map_err(|reason| (row as u64, reason)))
            .collect()
    }
}

fn noise_key(text: &ByteArray) -> Result<[u8; 32], String> {
    let digits = text.as_utf8().map_err(|error| error.to_string())?;
    bytes_of_hex(digits).ok_or_else(|| format!("noise_key is {digits:?}, expected 64 hexadecimal digits"))
}

/// The values, definition levels and repetition levels of one column.
type Levels<T> = (Vec<T>, Vec<i16>, Vec<i16>);

fn read<D: DataType>(group: &dyn RowGroupReader, column: usize, rows: usize) -> Result<Levels<D::T>, ParquetError> {
    let mut reader = get_typed_column_reader::<D>(group.get_column_reader(column)?);
    let (mut values, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    let (read, ..) = reader.read_records(rows, Some(&mut definition), Some(&mut repetition), &mut values)?;
    if read == rows {
        return Ok((values, definition, repetition));
    }
    Err(ParquetError::General(format!(
        "column {column} has {read} rows, expected {rows}"
    )))
}

fn read_required<D: DataType>(
    group: &dyn RowGroupReader,
    column: usize,
    rows: usize,
) -> Result<Vec<D::T>, ParquetError> {
    let (values, ..) = read::<D>(group, column, rows)?;
    if values.len() == rows {
        return Ok(values);
    }
    Err(ParquetError::General(format!(
        "column {column} has {} values, expected {rows}",
        values.len()
    )))
}

fn read_optional<D: DataType>(
    group: &dyn RowGroupReader,
    column: usize,
    rows: usize,
) -> Result<Vec<Option<D::T>>, ParquetError> {
    let (values, definition, _) = read::<D>(group, column, rows)?;
    let mut values = values.into_iter();
    Ok(definition
        .into_iter()
        .map(|level| if level == 0 { None } else { values.next() })
        .collect())
}

/// Reads a column of lists. An element below the level `value_level` is `None`.
fn read_lists<D: DataType>(
    group: &dyn RowGroupReader,
    column: usize,
    rows: usize,
    value_level: i16,
) -> Result<Vec<Vec<Option<D::T>>>, ParquetError> {
    let (values, definition, repetition) = read::<D>(group, column, rows)?;
    let mut values = values.into_iter();
    let mut lists: Vec<Vec<Option<D::T>>> = Vec::with_capacity(rows.min(definition.len()));
    for (level, repeated) in definition.into_iter().zip(repetition) {
        if repeated == 0 {
            lists.push(Vec::new());
        }
        if let Some(list) = lists.last_mut().filter(|_| level > 0) {
            list.push(if level == value_level { values.next() } else { None });
        }
    }
    Ok(lists)
}

fn read_rows(group: &dyn RowGroupReader, column: usize, rows: usize) -> Result<Vec<Vec<f32>>, ParquetError> {
    let lists = read_lists::<FloatType>(group, column, rows, LIST_VALUE)?;
    Ok(lists
        .into_iter()
        .map(|list| list.into_iter().flatten().collect())
        .collect())
}
