use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::domain::InputSpec;

pub(super) fn spec(shape: &[usize]) -> InputSpec {
    InputSpec {
        name: "x".to_owned(),
        shape: shape.to_vec(),
        low: 0.0,
        high: 1.0,
        levels: None,
    }
}

pub(super) fn names() -> Vec<String> {
    ["cat", "dog", "ship"].map(str::to_owned).to_vec()
}

/// The header of an array, and its values.
pub(super) fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), values].concat()
}

/// The values and labels of the inputs, and the name and reason of each skipped row.
pub(super) type Contents = (Vec<(Vec<f32>, Option<u32>)>, Vec<String>);

pub(super) fn read_from(path: &Path, spec: &InputSpec, first: u64) -> Contents {
    let data = DataSet::open(path, DataSetOptions::default(), spec, &names()).unwrap();
    let (mut inputs, mut skipped) = (Vec::new(), Vec::new());
    data.read(first, |entry| {
        match entry {
            DataSetEntry::Input(input) => inputs.push((input.input.values(), input.label)),
            DataSetEntry::Skipped(row) => skipped.push(format!("{}: {}", row.name, row.reason)),
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    (inputs, skipped)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// Every format gives the rows that were written, from any position on.
    #[test]
    fn every_format_round_trips(
        rows in prop::collection::vec((prop::collection::vec(0.0..1.0_f32, 4), 0..3_u32), 1..20),
        first in 0..25_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let expected: Vec<_> = rows.iter().skip(first).map(|(values, label)| (values.clone(), Some(*label))).collect();
        let values: Vec<u8> = rows.iter().flat_map(|row| &row.0).flat_map(|value| value.to_le_bytes()).collect();
        let labels: Vec<u8> = rows.iter().flat_map(|row| i64::from(row.1).to_le_bytes()).collect();

        let path = folder.path().join("a.npz");
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for (name, array) in [
            ("x_test.npy", npy("<f4", &format!("({}, 2, 2)", rows.len()), &values)),
            ("y_test.npy", npy("<i8", &format!("({},)", rows.len()), &labels)),
        ] {
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(&array).unwrap();
        }
        archive.finish().unwrap();
        prop_assert_eq!(&read_from(&path, &spec(&[2, 2]), first as u64), &(expected.clone(), vec![]));

        let path = folder.path().join("a.csv");
        let mut text = "id,a,b,label,c,d\n".to_owned();
        for (values, label) in &rows {
            text += &format!("7,{},{},{},{},{}\n", values[0], values[1], names()[*label as usize], values[2], values[3]);
        }
        std::fs::write(&path, text).unwrap();
        prop_assert_eq!(&read_from(&path, &spec(&[4]), first as u64), &(expected.clone(), vec![]));

        let path = folder.path().join("a.parquet");
        write_parquet(&path, &rows, 7);
        prop_assert_eq!(&read_from(&path, &spec(&[4]), first as u64), &(expected, vec![]));
    }

    /// Foreign bytes give an error or skipped rows, and no panic.
    #[test]
    fn foreign_bytes_are_no_data_set(kind in 0..4_usize, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = tempfile::tempdir().unwrap();
        let (magic, name) = [(&b"\x93NUMPY\x01\x00"[..], "a"), (b"PK\x03\x04", "a"), (b"PAR1", "a"), (b"", "a.csv")][kind];
        let path = folder.path().join(name);
        std::fs::write(&path, [magic, &bytes].concat()).unwrap();
        if let Ok(data) = DataSet::open(&path, DataSetOptions::default(), &spec(&[4]), &names()) {
            let _ = data.read(0, |_| ControlFlow::Continue(()));
        }
    }
}

/// Writes rows of four values and a label, in row groups of `group_rows` rows.
pub(super) fn write_parquet(path: &Path, rows: &[(Vec<f32>, u32)], group_rows: usize) {
    use parquet::data_type::{FloatType, Int32Type};
    let columns = "required float a; required float b; required float c; required float d; required int32 label;";
    let schema = parquet::schema::parser::parse_message_type(&format!("message m {{ {columns} }}")).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::file::writer::SerializedFileWriter::new(file, schema.into(), Default::default()).unwrap();
    for rows in rows.chunks(group_rows) {
        let mut group = writer.next_row_group().unwrap();
        for column in 0..4 {
            let values: Vec<f32> = rows.iter().map(|row| row.0[column]).collect();
            let mut writer = group.next_column().unwrap().unwrap();
            writer.typed::<FloatType>().write_batch(&values, None, None).unwrap();
            writer.close().unwrap();
        }
        let labels: Vec<i32> = rows.iter().map(|row| i32::try_from(row.1).unwrap()).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&labels, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn an_array_that_is_cut_short_names_the_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    std::fs::write(&path, npy("|u1", "(3, 2)", &[0, 255, 51])).unwrap();
    let (inputs, skipped) = read_from(&path, &spec(&[2]), 0);
    assert_eq!(inputs, [(vec![0.0, 1.0], None)]);
    assert!(skipped[0].starts_with("a.npy#1: the file is cut short here") && skipped[0].contains("2 of 3 rows"));
}

#[test]
fn cifar_files_have_a_class_and_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let row = |class: u8| [&[class][..], &[51; 3072]].concat();
    std::fs::write(folder.path().join("data_batch_1.bin"), [row(2), row(7)].concat()).unwrap();
    std::fs::write(
        folder.path().join("data_batch_2.bin"),
        [&row(1)[..], &row(0)[..100]].concat(),
    )
    .unwrap();
    let (inputs, skipped) = read_from(folder.path(), &spec(&[3, 32, 32]), 0);
    assert_eq!(inputs, [(vec![0.2; 3072], Some(2)), (vec![0.2; 3072], Some(1))]);
    assert!(skipped[0].starts_with("data_batch_1.bin#1: label is 7"), "{skipped:?}");
    assert!(
        skipped[1].starts_with("data_batch_2.bin#1: has 100 of 3073 bytes"),
        "{skipped:?}"
    );
    assert_eq!(read_from(folder.path(), &spec(&[3, 32, 32]), 2).0.len(), 1);
}

#[test]
fn the_subfolders_of_an_image_folder_are_classes() {
    let folder = tempfile::tempdir().unwrap();
    for (class, grey) in [("cat", 51), ("2", 255)] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        let image = image_file(grey);
        image.save(folder.path().join(class).join("a.png")).unwrap();
    }
    std::fs::write(folder.path().join("cat/b.png"), b"no image").unwrap();
    std::fs::write(folder.path().join("cat/notes.txt"), b"no image").unwrap();
    let (inputs, skipped) = read_from(folder.path(), &spec(&[1, 1, 1]), 0);
    assert_eq!(inputs, [(vec![1.0], Some(2)), (vec![0.2], Some(0))]);
    assert_eq!(skipped, ["cat/b.png: is none of PNG, JPEG, WebP and BMP"]);
    std::fs::create_dir(folder.path().join("zebra")).unwrap();
    let opened = DataSet::open(folder.path(), DataSetOptions::default(), &spec(&[1, 1, 1]), &names());
    let error = opened.map_or_else(|error| error.to_string(), |_| String::new());
    assert!(
        error.contains("zebra: the folder of a class") && error.contains("--sorted-classes"),
        "{error}"
    );
}

pub(super) fn image_file(grey: u8) -> ::image::GrayImage {
    ::image::GrayImage::from_pixel(1, 1, ::image::Luma([grey]))
}
